#!/bin/sh
# Runs processes of many sorts and writes what is true of each, one JSON object a line, to $SCENARIO_TRUTH
# (the fields are in testing/truth.ts). Needs root, a POSIX shell (dash, bash, busybox) and:
#
#   SCENARIO_DIR      an empty directory, which may be left full
#   SCENARIO_BIN      a directory with the test programs (testing/scenario.ts writes them)
#   SCENARIO_SLEEPER  one of them
#   SCENARIO_NODE     Node
#   SCENARIO_STEP     testing/step.js, compiled
#   SCENARIO_SCRIPTS  the directory of this file
#
# Steps whose tools are missing are named on standard output and left out.
#
# A command that is started with & and not followed by anything else is executed by the forked shell itself,
# so that $! is its pid, and it has executed one program.

set -u
cd "$SCENARIO_DIR" || exit 1
sh=$(readlink -f /bin/sh)

# ---- reporting -------------------------------------------------------------------------------------------

# STEP PID MEMBERS: adds a line; MEMBERS is the inside of a JSON object.
report() {
  printf '{"step":"%s","pid":%s,%s}\n' "$1" "$2" "$3" >>"$SCENARIO_TRUTH"
}

# STEP PID [JSON]: what /proc has of a sleeping test program, and what JSON adds.
observe() {
  "$SCENARIO_NODE" "$SCENARIO_STEP" observe "$1" "$2" "${3:-{\}}"
}

# STEP PID: waits, and reports how it ended.
ended() {
  code=0
  wait "$2" 2>/dev/null || code=$?
  # Shells add 128 to the number of a signal, and there are 64 signals.
  if [ "$code" -gt 128 ] && [ "$code" -le 192 ]; then
    report "$1" "$2" "\"exitSignal\":$((code - 128))"
  else
    report "$1" "$2" "\"exitCode\":$code"
  fi
}

# STEP PID [JSON]: observes a sleeping test program, and ends it.
finish() {
  observe "$@"
  kill -KILL "$2"
  ended "$1" "$2"
}

# STEP EXE COMM COMMAND ARGUMENT…: runs a command of which everything is known without looking.
run() {
  step=$1 exe=$2 comm=$3
  shift 3
  "$@" >/dev/null 2>&1 &
  pid=$!
  arguments=
  for argument; do
    arguments="$arguments${arguments:+,}\"$argument\""
  done
  report "$step" "$pid" "$own,\"exe\":\"$exe\",\"comm\":\"$comm\",\"argv\":[$arguments]"
  ended "$step" "$pid"
}

# STEP [JSON]: runs a step of step.js, which becomes a sleeping test program, unless the kernel refuses that.
native() {
  "$SCENARIO_NODE" "$SCENARIO_STEP" "$1" 2>errors &
  native=$!
  observe "$1" "$native" "${2:-{\"execs\":2\}}" 2>errors-of-observe ||
    left_out "$1" "$(grep Error: errors errors-of-observe | tr '\n' ' ')"
  kill -KILL "$native" 2>/dev/null
  ended "$1" "$native"
}

left_out() {
  printf 'Left out: %s: %s\n' "$1" "$2"
}

# NAME: prints the path of a tool, and fails without one. Commands are named by their paths here because some
# shells have tools of their own that they run without executing anything.
path_of() {
  IFS=:
  for place in $PATH; do
    if [ -x "$place/$1" ]; then
      printf '%s\n' "$place/$1"
      return 0
    fi
  done
  return 1
}

# ---- what is true of this shell and of what it starts ----------------------------------------------------

read -r line </proc/$$/stat
line=${line##*) }
# shellcheck disable=SC2086 # the fields are to be split
set -- $line
pgid=$3 sid=$4
while read -r key real effective saved _; do
  case $key in
    Uid:) uids="\"uid\":$real,\"euid\":$effective,\"suid\":$saved" uid=$real ;;
    Gid:) gids="\"gid\":$real,\"egid\":$effective,\"sgid\":$saved" ;;
  esac
done </proc/$$/status
# Of processes that this shell starts and that change nothing.
own="\"commChanges\":0,\"ppid\":$$,\"pgid\":$pgid,\"sid\":$sid,$uids,$gids,\"cwd\":\"$SCENARIO_DIR\",\"root\":\"/\",\"exeDeleted\":false"
sids="\"sid\":$sid"

# ---- ends ------------------------------------------------------------------------------------------------

run success "$SCENARIO_BIN/exit-0" exit-0 "$SCENARIO_BIN/exit-0" one 'two words' three
run failure "$SCENARIO_BIN/exit-3" exit-3 "$SCENARIO_BIN/exit-3"
run status-255 "$SCENARIO_BIN/exit-255" exit-255 "$SCENARIO_BIN/exit-255"
run long-name "$SCENARIO_BIN/a-name-of-more-than-15" a-name-of-more- "$SCENARIO_BIN/a-name-of-more-than-15"
run segv "$SCENARIO_BIN/segv" segv "$SCENARIO_BIN/segv"
run term "$SCENARIO_BIN/term" term "$SCENARIO_BIN/term"

"$SCENARIO_BIN/sleeper" to be killed &
finish sigkill $!

# The shell forks, fails to execute, and ends: what ends is still the shell.
"$SCENARIO_DIR/absent" 2>/dev/null &
pid=$!
report not-found "$pid" "$own,\"execs\":0,\"exe\":\"$sh\",\"argv\":[\"/bin/sh\",\"$SCENARIO_SCRIPTS/scenario.sh\"]"
ended not-found "$pid"

(exit 5) &
pid=$!
report subshell "$pid" "$own,\"execs\":0,\"exe\":\"$sh\",\"argv\":[\"/bin/sh\",\"$SCENARIO_SCRIPTS/scenario.sh\"]"
ended subshell "$pid"

read -r pattern </proc/sys/kernel/core_pattern
case $pattern in
  '' | /* | '|'*) left_out 'a core dump' "it would leave this directory: kernel.core_pattern is '$pattern'" ;;
  *)
    (ulimit -c unlimited && exec "$SCENARIO_BIN/spawn-segv" >core-report) &
    pid=$!
    report core "$pid" "$own,\"exe\":\"$SCENARIO_BIN/spawn-segv\""
    ended core "$pid"
    "$SCENARIO_NODE" "$SCENARIO_STEP" chain core "$pid" core-report
    ;;
esac

# ---- pipes, scripts, chains ------------------------------------------------------------------------------

self() {
  /bin/sh "$SCENARIO_SCRIPTS/self.sh" "$@"
}

if cat=$(path_of cat) && wc=$(path_of wc); then
  self pipe-first '"exitCode":0' "$SCENARIO_BIN/exit-0" "$SCENARIO_BIN/exit-0" 1 |
    self pipe-middle '"exitCode":0' "$(readlink -f "$cat")" "$cat" - |
    self pipe-last '"exitCode":0' "$(readlink -f "$wc")" "$wc" -l >/dev/null
else
  left_out 'a pipe of three' 'cat or wc is missing'
fi
if yes=$(path_of yes) && head=$(path_of head); then
  self pipe-broken '"exitSignal":13' "$(readlink -f "$yes")" "$yes" 2>/dev/null |
    self pipe-breaking '"exitCode":0' "$(readlink -f "$head")" "$head" -n 1 >/dev/null
else
  left_out 'a broken pipe' 'yes or head is missing'
fi

printf '#!%s with option\n' "$SCENARIO_BIN/sleeper" >script
chmod 755 script
./script argument &
finish script $!
# A script whose interpreter is a script.
printf '#!%s\n' "$SCENARIO_DIR/script" >script-of-script
chmod 755 script-of-script
"$SCENARIO_DIR/script-of-script" argument &
finish script-of-script $!
printf '#!/bin/sh\nexit 4\n' >shell-script
chmod 755 shell-script
./shell-script a b 2>/dev/null &
pid=$!
report shell-script "$pid" "$own,\"exe\":\"$sh\",\"comm\":\"shell-script\",\"argv\":[\"/bin/sh\",\"./shell-script\",\"a\",\"b\"]"
ended shell-script "$pid"

"$SCENARIO_BIN/chain-3" >chain-report &
pid=$!
report vfork-chain "$pid" "$own,\"exe\":\"$SCENARIO_BIN/chain-3\""
ended vfork-chain "$pid"
"$SCENARIO_NODE" "$SCENARIO_STEP" chain vfork-chain "$pid" chain-report

# ---- sessions, ids, names --------------------------------------------------------------------------------

if setsid=$(path_of setsid); then
  ("$setsid" "$SCENARIO_BIN/sleeper" daemon </dev/null >/dev/null 2>&1 & printf %s $! >daemon-pid)
  read -r pid <daemon-pid || true
  observe daemon "$pid" "{\"execs\":2,\"idChange\":{\"changed\":[\"sid\"],\"from\":{$sids}}}"
  kill -TERM "$pid"
  report daemon "$pid" '"exitSignal":15'
  # It is nobody's child here: it is over when it is gone, or nobody's business but init's.
  while read -r line 2>/dev/null </proc/"$pid"/stat; do
    case $line in *') Z '*) break ;; esac
  done
else
  left_out 'a daemon' 'setsid is missing'
fi

changed='{"execs":1,"idChange":{"changed":["sid","gid","uid"],"from":'
"$SCENARIO_BIN/ids" &
finish ids $! "$changed{$sids,$uids,$gids}}}"
native thread-ids "{\"execs\":2,\"idChange\":{\"changed\":[\"gid\",\"uid\"],\"from\":{$uids,$gids}}}"
if setpriv=$(path_of setpriv) && "$setpriv" --reuid "$uid" "$SCENARIO_BIN/exit-0" 2>/dev/null; then
  "$setpriv" --reuid 1001 --regid 1002 --clear-groups "$SCENARIO_BIN/sleeper" setpriv &
  finish setpriv $! "{\"execs\":2,\"idChange\":{\"changed\":[\"gid\",\"uid\"],\"from\":{$uids,$gids}}}"
else
  left_out 'a change of user by a tool' 'setpriv of util-linux is missing'
fi

"$SCENARIO_BIN/rename" &
finish rename $! '{"commChanges":1}'
/bin/sh -c 'printf shell-renamed >/proc/self/comm; exit 0' &
pid=$!
report comm-file "$pid" "$own,\"exe\":\"$sh\",\"comm\":\"shell-renamed\",\"commChanges\":1"
ended comm-file "$pid"

# ---- places ----------------------------------------------------------------------------------------------

if chroot=$(path_of chroot); then
  mkdir -p jail/inner
  cp "$SCENARIO_BIN/sleeper" jail/inner/sleeper
  "$chroot" jail /inner/sleeper jailed &
  finish chroot $! '{"execs":2}'
else
  left_out 'a chroot' 'chroot is missing'
fi
if unshare=$(path_of unshare) && "$unshare" -m "$SCENARIO_BIN/exit-0" 2>/dev/null; then
  mkdir bound
  # shellcheck disable=SC2016 # the inner shell expands
  "$unshare" -m /bin/sh -c 'mount --bind "$1" "$2" && cd "$2" && exec "$2/sleeper" bound' \
    sh "$SCENARIO_BIN" "$SCENARIO_DIR/bound" &
  finish bind-mount $! '{"execs":3}'
else
  left_out 'a bind mount' 'unshare is missing or may not make mount namespaces'
fi

cp "$SCENARIO_BIN/sleeper" unlinked
./unlinked &
pid=$!
observe unlinked "$pid"
rm unlinked
kill -KILL "$pid"
ended unlinked "$pid"

mkdir -p lost/directory
(cd lost/directory && rmdir ../directory && exec "$SCENARIO_BIN/sleeper" unlinked cwd) &
finish unlinked-cwd $!

native deleted-exe '{"execs":2,"exeDeleted":true}'
native memfd
native fexecve
native exec-thread
native odd-name
native odd-directory '{"execs":3}'
native deep-cwd

# ---- arguments -------------------------------------------------------------------------------------------

native no-args
native one-empty-arg
native empty-args
native tiny-args
native huge-args
native env

# ---- a pid that is used again at once --------------------------------------------------------------------

reuse_pid() {
  "$SCENARIO_BIN/sleeper" reuse first &
  first=$!
  finish reuse-first "$first"
  tries=0
  # Another process may take the pid in between, so try; printf is built in and takes none.
  while [ "$tries" -lt 100 ]; do
    printf %s $((first - 1)) >/proc/sys/kernel/ns_last_pid
    "$SCENARIO_BIN/sleeper" reuse second "$tries" &
    second=$!
    if [ "$second" = "$first" ]; then
      finish reuse-second "$second"
      return
    fi
    finish "reuse-missed-$tries" "$second"
    tries=$((tries + 1))
  done
  left_out 'a pid that is used again' "others took pid $first a hundred times"
}
if [ -w /proc/sys/kernel/ns_last_pid ]; then
  reuse_pid 2>/dev/null
else
  left_out 'a pid that is used again' 'the kernel was built without CONFIG_CHECKPOINT_RESTORE'
fi

report scenario $$ "$own,\"ppid\":$PPID,\"exe\":\"$sh\",\"exitCode\":0"
exit 0
