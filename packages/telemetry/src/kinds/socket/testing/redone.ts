/** Situations of connections whose ends programs must remember, for tests: see situations.ts. */

/** Each is a program of its own. */
export const REDONE = {
  broken: `
l = listen(); c = socket.socket(); c.connect(l.getsockname()); first = c.getsockname()[1]
a, _ = l.accept(); c.send(b'12345'); a.recv(5, socket.MSG_WAITALL)
a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); a.close()
select.select([c], [], [])
libc.connect(c.fileno(), struct.pack('H14x', 0), 16)
c.connect(l.getsockname()); second = c.getsockname()[1]; c.close(); l.close()
done(port=first, second=second)`,
  unbound: `
l = socket.socket(); l.listen(3); port = l.getsockname()[1]
c = connect((LOCAL, port)); c.close(); l.close()
done(port=port)`,
  noPort: `
inode = unshare()
open('/proc/sys/net/ipv4/ip_local_port_range', 'w').write('50000 50001')
l = listen(port=5000); held = []; errors = []
for _ in range(4):
    c = socket.socket(); held.append(c)
    try: c.connect((LOCAL, 5000))
    except OSError as e: errors.append(e.errno)
done(port=5000, errors=errors, inode=inode)`,
  multipath: `
def mptcp(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
l = mptcp(); l.bind((LOCAL, 0)); l.listen(5); to = l.getsockname()
child = os.fork()
if child == 0:
    a, _ = l.accept(); a.sendall(b'y' * len(a.recv(1000, socket.MSG_WAITALL))); a.recv(1); a.close(); os._exit(0)
c = mptcp(); c.connect(to); port = c.getsockname()[1]
c.sendall(b'x' * 1000); c.recv(1000, socket.MSG_WAITALL); c.close()
wait(child); l.close()
done(port=port, server=to[1], child=child)`,
} as const
