// One attack by an ordinary user. Ends with its parent, or after five minutes.
//   flood KIND RATE COUNTERS SLOT PROGRAM [PADDING ...]
// RATE is how often a second, 0 as often as possible; `hold` takes it as a number of processes. What was done is
// counted in slot SLOT of the file COUNTERS.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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
    else return 2;
  }
}
