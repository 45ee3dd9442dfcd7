# What a person does in a minute: the scenario of the captures. It begins when it reads a line.
read -r _
cat > hello.c <<'C'
int main(void) { return 0; }
C
printf 'hello: hello.c\n\tcc -O2 -o hello hello.c\n' > Makefile
make hello
./hello
sh -c 'sort Makefile | uniq -c' > 'two words.txt'
ls -l 'two words.txt' missing
./missing
setpriv --reuid=65534 --regid=65534 --clear-groups id -un
sleep 60 &
sleep 0.3
kill %1
wait
grep -c "it's" $'a\tname' hello.c
