/** Situations of sockets without connections, for tests: see situations.ts. */

/** Each is a program of its own. */
export const DATAGRAMS = {
  connected: `
s, c = udp(), udp(bind=False); c.connect(s.getsockname())
for n in (3, 4): c.send(b'x' * n)
for _ in range(2):
    d, a = s.recvfrom(99); s.sendto(d + b'!', a)
for _ in range(2): c.recv(99)
done(port=c.getsockname()[1], server=s.getsockname()[1])`,
  unconnected: `
s = [udp() for _ in range(3)]; c = udp()
for i, one in enumerate(s):
    for _ in range(i + 1): c.sendto(b'12345', one.getsockname())
    for _ in range(i + 1): one.recv(99)
done(port=c.getsockname()[1], servers=[one.getsockname()[1] for one in s])`,
  many: `
s, c = udp(), udp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
for _ in range(1200):
    c.sendto(b'x' * 100, s.getsockname()); s.recv(200)
done(port=c.getsockname()[1], server=s.getsockname()[1])`,
  ipv6: `
s, c = udp(socket.AF_INET6, '::1'), udp(socket.AF_INET6, '::1')
c.sendto(b'123', s.getsockname()[:2]); s.recv(9)
done(port=c.getsockname()[1], server=s.getsockname()[1])`,
  mapped: `
s = udp(); c = udp(socket.AF_INET6, '::ffff:127.0.0.1')
c.sendto(b'123', ('::ffff:127.0.0.1', s.getsockname()[1])); s.recv(9)
done(port=c.getsockname()[1], server=s.getsockname()[1])`,
  forked: `
s = udp(); c = udp()
child = os.fork()
if child == 0:
    d, a = s.recvfrom(9); s.sendto(d, a); os._exit(0)
c.sendto(b'123', s.getsockname()); c.recv(9); wait(child)
done(port=c.getsockname()[1], server=s.getsockname()[1], child=child)`,
  reader: `
s = udp(); c = udp()
child = os.fork()
if child == 0:
    s.recv(9); os._exit(0)
c.sendto(b'123', s.getsockname()); wait(child)
done(port=c.getsockname()[1], server=s.getsockname()[1], child=child)`,
  passed: `
s = udp(); c = udp(); ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    ours.close(); c.close(); theirs.recv(1)
    _, data, _, _ = theirs.recvmsg(1, socket.CMSG_LEN(4))
    got = array.array('i'); got.frombytes(data[0][2][:4])
    socket.socket(fileno=got[0]).sendto(b'12', s.getsockname()); theirs.send(b'x'); os._exit(0)
theirs.close(); ours.send(b'g')
ours.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [c.fileno()]))])
port = c.getsockname()[1]; c.close(); ours.recv(1); wait(child); s.recv(9)
done(port=port, server=s.getsockname()[1], child=child)`,
  reused: `
s = udp(); ports = []; first = None
for i in range(50):
    c = udp(port=first or 0); first = c.getsockname()[1]
    c.sendto(b'x' * (i + 1), s.getsockname()); s.recv(99); c.close()
done(port=first, server=s.getsockname()[1])`,
  namespaces: `
inodes = []
for n in range(2):
    inodes.append(unshare())
    s, c = udp(port=5000), udp(port=5001)
    c.sendto(b'x' * (n + 1), s.getsockname()); s.recv(9); c.close(); s.close()
done(port=5001, inodes=inodes)`,
  segmented: `
s, c = udp(), udp()
c.setsockopt(17, 103, 100)
c.sendto(b'x' * 1000, s.getsockname())
n = sum(len(s.recv(200)) for _ in range(10))
done(port=c.getsockname()[1], server=s.getsockname()[1], bytes=n)`,
  raw: `
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
child = os.fork()
if child == 0:
    time.sleep(0.1); r.close(); os._exit(0)
r.close(); wait(child)
six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); six.close()
done(port=0, child=child)`,
  packet: `
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); p.close()
p = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86dd)); p.close()
done(port=0)`,
  unix: `
import tempfile
folder = tempfile.mkdtemp(); path = folder + '/a b'
def through(address):
    l = socket.socket(socket.AF_UNIX); l.bind(address); l.listen(3)
    child = os.fork()
    if child == 0:
        c = socket.socket(socket.AF_UNIX); c.connect(address); os._exit(0)
    a, _ = l.accept(); wait(child)
    return child
children = [through(path), through(b'\\0quark-\\x1b[31m' + str(os.getpid()).encode())]
os.unlink(path); os.rmdir(folder)
done(port=0, path=path, children=children)`,
  flood: `
c = udp(); n = 0
for i in range(2, 252):
    for p in range(1000, 1200):
        try: c.sendto(b'x', ('127.0.%d.1' % i, p)); n += 1
        except OSError: pass
done(port=c.getsockname()[1], sent=n)`,
} as const

/** A socket of UDP at the loopback. */
export const UDP = `
def udp(family=socket.AF_INET, address=LOCAL, port=0, bind=True):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if bind: s.bind((address, port))
    return s
`
