/** Programs that are hard on who watches sockets, for tests: see situations.ts. */

/** Each is a program of its own. */
export const HOSTILE = {
  /** A descriptor is sent, and nobody ever receives it: the kernel closes it with the socket that it waits in. */
  inFlight: `
l = listen(); c = connect(l.getsockname()); a, _ = l.accept(); port = c.getsockname()[1]; c.send(b'123')
ours, theirs = socket.socketpair()
ours.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [c.fileno()]))])
c.close(); ours.close(); time.sleep(0.05); theirs.close()
a.recv(9); a.close(); l.close()
done(port=port)`,
  /** Both ends send, and neither reads. */
  unread: `
l = listen(); c = connect(l.getsockname()); a, _ = l.accept(); port = c.getsockname()[1]
def fill(s):
    s.setblocking(False); n = 0
    while True:
        try: n += s.send(b'x' * 65536)
        except BlockingIOError: return n
sent, answered = fill(c), fill(a)
child = os.fork()
if child == 0: signal.pause()
l.close(); c.close(); a.close(); time.sleep(0.05); os.kill(child, signal.SIGKILL); wait(child)
done(port=port, child=child, sent=sent, answered=answered)`,
  /** Network namespaces that are gone with the last process in them, which closed nothing. */
  vanishing: `
inodes = []
for n in range(20):
    out, into = os.pipe(); child = os.fork()
    if child == 0:
        inode = unshare(); l = listen(port=6000); c = connect((LOCAL, 6000), port=6001); a, _ = l.accept()
        c.send(b'x' * (n + 1)); a.recv(n + 1, socket.MSG_WAITALL)
        os.write(into, str(inode).encode()); os._exit(0)
    os.close(into); inodes.append([child, int(os.read(out, 20))]); os.close(out); wait(child)
done(port=6001, inodes=inodes)`,
} as const

/**
 * A program that leaves connections in TIME_WAIT, one in use, and says so; it ends with its input. 28,000 have room for each
 * address.
 */
export function timeWaits(count: number): string {
  return `
import resource
inode = unshare(); open('/proc/sys/net/ipv4/tcp_max_tw_buckets', 'w').write('1000000')
open('/proc/sys/net/ipv4/ip_local_port_range', 'w').write('1024 65000')
l = listen(address='0.0.0.0', backlog=4096, port=80)
for i in range(${count}):
    c = socket.socket(); c.connect(('127.0.%d.1' % (i // 20000), 80)); a, _ = l.accept(); c.close(); a.close()
c = connect((LOCAL, 80)); a, _ = l.accept()
tw = [int(x) for x in open('/proc/net/sockstat').read().split('TCP:')[1].split() if x.isdigit()][2]
done(port=c.getsockname()[1], inode=inode, waiting=tw)
sys.stdin.read()`
}
