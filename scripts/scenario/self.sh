# Reports what is true of this process, then becomes another program: STEP JSON EXE COMMAND ARGUMENT…
# JSON holds what the caller knows beforehand, such as the exit code.
step=$1 known=$2 exe=$3
shift 3
arguments=
for argument; do
  arguments="$arguments${arguments:+,}\"$argument\""
done
printf '{"step":"%s","pid":%s,"ppid":%s,"exe":"%s","argv":[%s],"execs":2,%s}\n' \
  "$step" "$$" "$PPID" "$exe" "$arguments" "$known" >>"$SCENARIO_TRUTH"
exec "$@"
