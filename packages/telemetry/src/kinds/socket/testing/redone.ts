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
  synFlood: `
inode = unshare(); l = listen(backlog=64, port=7000)
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 6)
def checksum(data):
    n = sum(struct.unpack('!%dH' % (len(data) // 2), data)); n = (n >> 16) + (n & 0xffff)
    return 0xffff & ~(n + (n >> 16))
to = socket.inet_aton(LOCAL)
for i in range(20000):
    syn = struct.pack('!HHIIBBHHH', 1024 + i, 7000, i, 0, 0x50, 2, 1024, 0, 0)
    syn = syn[:16] + struct.pack('!H', checksum(to + to + struct.pack('!HH', 6, 20) + syn)) + syn[18:]
    r.sendto(syn, (LOCAL, 0))
c = connect((LOCAL, 7000)); a, _ = l.accept(); c.send(b'x'); a.recv(1); port = c.getsockname()[1]
c.close(); a.close(); l.close()
done(port=port, inode=inode)`,
  portReuse: `
inode = unshare(); l = listen(backlog=64, port=7000)
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for i in range(300):
    c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.bind((LOCAL, 7001)); c.connect((LOCAL, 7000)); a, _ = l.accept()
    c.send(b'x' * (i + 1)); a.recv(i + 1, socket.MSG_WAITALL); c.close(); a.close()
l.close()
done(port=7001, inode=inode)`,
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
