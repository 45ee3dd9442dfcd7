// One attack by an ordinary user. Ends with its parent, or after five minutes.
//   flood KIND RATE COUNTERS SLOT PROGRAM [PADDING ...]
// RATE is how often a second, 0 as often as possible; `hold` takes it as a number of processes. What was done is
// counted in slot SLOT of the file COUNTERS.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000L
#define LONGEST_SECONDS 300
#define EMPTY_ARGUMENTS 131072

struct slot {
  volatile long count, start_ns;
};

static char **self;
static long rate;
static struct slot *slot;

static void fail(const char *what) {
  perror(what);
  _exit(1);
}

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * SECOND + now.tv_nsec;
}

// Waits until the next one is due. What was missed by more than a tenth of a second is not made up for.
static void pace(void) {
  long count = ++slot->count;
  if (rate == 0) return;
  long due = slot->start_ns + count * SECOND / rate, now = now_ns();
  if (due > now) {
    struct timespec until = {due / SECOND, due % SECOND};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  } else if (now - due > SECOND / 10) {
    slot->start_ns += now - due - SECOND / 10;
  }
}

// Starts PROGRAM, with the padding as its arguments.
static void spawn(char **arguments) {
  int status;
  pid_t pid = vfork();
  if (pid == 0) {
    execv(arguments[0], arguments);
    _exit(127);
  }
  waitpid(pid, &status, 0);
}

static void child(int leads_session, int shares_memory) {
  int status;
  pid_t pid = shares_memory ? vfork() : fork();
  if (pid == 0) {
    if (leads_session) setsid();
    _exit(0);
  }
  waitpid(pid, &status, 0);
}

static void *nothing(void *argument) { return argument; }

static void thread(void) {
  pthread_t id;
  if (pthread_create(&id, NULL, nothing, NULL) == 0) pthread_join(id, NULL);
}

// Processes that stay alive, each of which holds arguments that cost no byte in argv but much in a list of strings.
static void hold(void) {
  static char *arguments[EMPTY_ARGUMENTS + 1];
  static char *environment[] = {"FLOOD=wait", NULL};
  for (int i = 0; i < EMPTY_ARGUMENTS; i++) arguments[i] = "";
  for (long i = 0; i < rate; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      execve(self[0], arguments, environment);
      fail("execve");
    }
    if (pid == -1) fail("fork");
    slot->count++;
    usleep(1000);
  }
  pause();
}

static struct sockaddr_in local(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(0x7f000001 + (slot->count >> 12) % 0xffff);
  return address;
}

// A connection that is made, used and closed on both sides.
static void connection(void) {
  static int listener = -1;
  static struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (listener == -1) {
    address = local(0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) == -1 || listen(listener, 64) == -1) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
  }
  // Reset at the end: ports are not to run out.
  struct linger now = {1, 0};
  int client = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  if (connect(client, (struct sockaddr *)&address, length) == 0) {
    int server = accept(listener, NULL, NULL);
    if (write(client, "hello", 5) == -1) fail("write");
    close(client);
    close(server);
  } else {
    close(client);
  }
}

// One that is refused.
static void refused(void) {
  struct sockaddr_in address = local(1);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  connect(client, (struct sockaddr *)&address, sizeof address);
  close(client);
}

// A flow of its own for each datagram; to port 53 each has a question with a name of its own.
static void datagram(int asks) {
  static int sender = -1;
  if (sender == -1) sender = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = local(asks ? 53 : 1024 + slot->count % 60000);
  char question[64] = "\1\2\1\0\0\1\0\0\0\0\0\0\14";
  snprintf(question + 13, 13, "%012ld", slot->count);
  memcpy(question + 25, "\4test\0\0\1\0\1", 10);
  sendto(sender, question, 35, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
}

// A file that is made, written, renamed and removed, with long names.
static void change_file(void) {
  static char name[250], other[250];
  if (name[0] == 0) {
    memset(name, 'f', sizeof name - 1);
    if (chdir("/tmp") == -1) fail("/tmp");
  }
  memcpy(other, name, sizeof name);
  snprintf(name + 200, 49, "%d-%ld", getpid(), slot->count);
  snprintf(other + 200, 49, "%d-%ld-renamed", getpid(), slot->count);
  int made = open(name, O_CREAT | O_WRONLY, 0600);
  if (made == -1) fail(name);
  if (write(made, "content", 7) == -1) fail("write");
  close(made);
  rename(name, other);
  unlink(other);
}

// Lines on a terminal that somebody reads.
static void terminal(void) {
  static int master = -1, slave;
  static char text[4096];
  if (master == -1) {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master == -1 || grantpt(master) == -1 || unlockpt(master) == -1) fail("ptmx");
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave == -1) fail("pts");
    memset(text, 't', sizeof text);
  }
  if (write(slave, text, 1000) == -1) fail("write");
  while (read(master, text, sizeof text) > 0) {}
}

int main(int count, char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) return 1;
  char *wait = getenv("FLOOD");
  if (wait != NULL) {
    alarm(LONGEST_SECONDS);
    pause();
    return 0;
  }
  if (count < 6) return 2;
  self = arguments;
  rate = atol(arguments[2]);
  int file = open(arguments[3], O_RDWR | O_CLOEXEC);
  if (file == -1) fail(arguments[3]);
  void *slots = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (slots == MAP_FAILED) fail("mmap");
  close(file);
  slot = (struct slot *)slots + atoi(arguments[4]);
  if (slot->start_ns == 0) {
    slot->start_ns = now_ns();
    alarm(LONGEST_SECONDS); // stays over exec
  }
  const char *kind = arguments[1];
  if (strcmp(kind, "exec") == 0) {
    pace();
    execv(self[0], self);
    fail("execv");
  }
  if (strcmp(kind, "hold") == 0) hold();
  for (;; pace()) {
    if (strcmp(kind, "spawn") == 0) spawn(arguments + 5);
    else if (strcmp(kind, "fork") == 0) child(0, 0);
    else if (strcmp(kind, "children") == 0) child(0, 1);
    else if (strcmp(kind, "setsid") == 0) child(1, 0);
    else if (strcmp(kind, "comm") == 0) prctl(PR_SET_NAME, slot->count % 2 ? "flood-odd" : "flood-even");
    else if (strcmp(kind, "threads") == 0) thread();
    else if (strcmp(kind, "failed") == 0) execv("/missing", arguments + 5);
    else if (strcmp(kind, "connection") == 0) connection();
    else if (strcmp(kind, "refused") == 0) refused();
    else if (strcmp(kind, "datagram") == 0) datagram(0);
    else if (strcmp(kind, "question") == 0) datagram(1);
    else if (strcmp(kind, "file") == 0) change_file();
    else if (strcmp(kind, "terminal") == 0) terminal();
    else return 2;
  }
}
