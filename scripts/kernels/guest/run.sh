# Runs every test file in a process of its own, so that one that dies or hangs takes no other along.
cd /app
export TEST_SLOW=15 QUARK_STORM=400 QUARK_CONNECTIONS=800 QUARK_CONNECTIONS_PACED=400
. ./settings.sh
echo "@@kernel $(uname -r)"
if [ -f command.sh ]; then
  echo @@run
  . ./command.sh 2>&1
  echo "@@ran $?"
  exit
fi
grep -Ev "${LEAVE_OUT:-^$}" files > wanted
while read -r file; do
  echo "== $file"
  KERNEL_TEST_FILE=$file timeout 700 node --test-reporter=/app/reporter.mjs "$file" 2>&1
  echo "@@end $? $file"
done < wanted
node support.mjs
