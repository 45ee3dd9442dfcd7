/** Situations of sockets that Node cannot make, for tests: Python programs that print what they did as JSON. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** What every program begins with. */
export const PRELUDE = `
import array, ctypes, fcntl, json, mmap, os, select, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
LOCAL = '127.0.0.1'
def listen(address=LOCAL, backlog=8, port=0, family=socket.AF_INET, **flags):
    s = socket.socket(family)
    if flags.get('reuse'): s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, port)); s.listen(backlog)
    return s
def connect(to, port=None):
    s = socket.socket(socket.AF_INET6 if ':' in to[0] else socket.AF_INET)
    if port is not None: s.bind((LOCAL, port))
    s.connect(to)
    return s
def done(**facts):
    print(json.dumps(dict(facts, pid=os.getpid()))); sys.stdout.flush()
def silent(listener):
    # accept4(2) without an address.
    return socket.socket(fileno=libc.accept4(listener.fileno(), None, None, 0))
def wait(pid): os.waitpid(pid, 0)
def ring_connect(s, to, flags):
    # One IORING_OP_CONNECT (include/uapi/linux/io_uring.h), and its result; None where there is no io_uring.
    params = (ctypes.c_char * 120)()
    struct.pack_into('=I', params, 8, flags)
    ring = libc.syscall(425, 4, params)
    if ring < 0: return None
    entries, results = struct.unpack_from('=2I', params, 0)
    sq_off, cq_off = struct.unpack_from('=7I', params, 40), struct.unpack_from('=6I', params, 80)
    sq = mmap.mmap(ring, sq_off[6] + entries * 4, offset=0)
    cq = mmap.mmap(ring, cq_off[5] + results * 16, offset=0x8000000)
    sqes = mmap.mmap(ring, entries * 64, offset=0x10000000)
    address = ctypes.create_string_buffer(struct.pack('=H', socket.AF_INET) + struct.pack('!H', to[1]) + socket.inet_aton(to[0]) + bytes(8), 16)
    struct.pack_into('=BBHiQQI', sqes, 0, 16, 0, 0, s.fileno(), 16, ctypes.addressof(address), 0)
    struct.pack_into('=I', sq, sq_off[6], 0); struct.pack_into('=I', sq, sq_off[1], 1)
    libc.syscall(426, ring, 1, 1, 3 if flags else 1, None, 0)
    result = struct.unpack_from('=Qi', cq, cq_off[5])[1]
    os.close(ring)
    return result
def unshare():
    if libc.unshare(0x40000000) != 0: raise OSError(ctypes.get_errno(), 'unshare')
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', 1))
    return os.stat('/proc/self/ns/net').st_ino
`

/** Each is a program of its own. */
const SITUATIONS = {
  forked: `
l = listen(); c = connect(l.getsockname()); a, _ = l.accept()
go, ready = os.pipe()
child = os.fork()
if child == 0:
    os.read(go, 1); c.send(b'12345'); os._exit(0)
port = c.getsockname()[1]; c.close(); os.write(ready, b'x'); wait(child)
a.recv(9); a.close(); l.close()
done(port=port, child=child)`,
  passed: `
l = listen(); ours, theirs = socket.socketpair()
c = connect(l.getsockname()); a, _ = l.accept(); port = c.getsockname()[1]
child = os.fork()
if child == 0:
    # The copies that fork made are closed first.
    ours.close(); c.close(); a.close(); l.close()
    theirs.recv(1)
    _, data, _, _ = theirs.recvmsg(1, socket.CMSG_LEN(4))
    got = array.array('i'); got.frombytes(data[0][2][:4])
    socket.socket(fileno=got[0]).send(b'123')
    theirs.send(b'x'); os._exit(0)
theirs.close()
ours.send(b'g')
ours.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [a.fileno()]))])
a.close(); ours.recv(1); wait(child); c.close(); l.close()
done(port=port, child=child)`,
  reused: `
first = listen(reuse=True); port = first.getsockname()[1]
child = os.fork()
if child == 0:
    first.close(); second = listen(port=port, reuse=True)
    print('ready'); sys.stdout.flush()
    a, _ = second.accept(); a.close(); os._exit(0)
# The kernel chooses among the two by the ports.
mine = 0; ports = []
first.settimeout(0.2)
for _ in range(200):
    c = connect((LOCAL, port)); ports.append(c.getsockname()[1])
    try:
        a, _ = first.accept(); mine += 1; a.close()
    except TimeoutError:
        wait(child); c.close(); break
    c.close()
first.close()
done(port=port, child=child, mine=mine, theirs=ports[-1])`,
  silentClose: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]
a = silent(l); a.close(); c.close(); l.close()
done(port=port)`,
  silentReset: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); c.close()
l.close()
done(port=port)`,
  silentRead: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]
a = silent(l)
child = os.fork()
if child == 0:
    c.send(b'1'); os._exit(0)
wait(child); a.recv(1); a.close(); c.close(); l.close()
done(port=port, child=child)`,
  killed: `
l = listen()
child = os.fork()
if child == 0:
    c = connect(l.getsockname()); c.send(b'12345'); time.sleep(60)
a, (_, port) = l.accept(); a.recv(5, socket.MSG_WAITALL)
os.kill(child, signal.SIGKILL); wait(child); a.recv(1); a.close(); l.close()
done(port=port, child=child)`,
  reset: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]; a, _ = l.accept()
a.send(b'unread')
while True:
    try: c.recv(1, socket.MSG_PEEK); break
    except BlockingIOError: pass
c.close()
try: a.recv(1)
except ConnectionResetError: pass
a.close(); l.close()
done(port=port)`,
  halfClosed: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]; a, _ = l.accept()
c.send(b'1234567'); c.shutdown(socket.SHUT_WR)
while a.recv(9): pass
a.send(b'123456789'); a.close()
while c.recv(99): pass
c.close(); l.close()
done(port=port)`,
  large: `
l = listen(); c = connect(l.getsockname()); port = c.getsockname()[1]; a, _ = l.accept()
wait_, ready = os.pipe()
child = os.fork()
if child == 0:
    c.close(); l.close(); os.write(ready, b'x'); n = 0
    while True:
        d = a.recv(1 << 16)
        if not d: break
        n += len(d)
    os._exit(0 if n == 3000000 else 1)
os.read(wait_, 1); a.close(); c.sendall(b'x' * 3000000); c.close()
_, status = os.waitpid(child, 0); l.close()
done(port=port, status=status, child=child)`,
  mapped: `
l = listen(); c = connect(('::ffff:127.0.0.1', l.getsockname()[1])); port = c.getsockname()[1]
a, _ = l.accept(); c.close(); a.close(); l.close()
done(port=port)`,
  abandoned: `
l = listen(backlog=0); held = [connect(l.getsockname())]
c = socket.socket(); c.setblocking(False)
# The queue is full: no handshake finishes any more.
while True:
    try: c.connect(l.getsockname())
    except BlockingIOError: pass
    if not select.select([], [c], [], 0.3)[1]: break
    held.append(c); c = socket.socket(); c.setblocking(False)
port = c.getsockname()[1]; c.close()
for h in held: h.close()
l.close()
done(port=port)`,
  fastOpen: `
l = listen(); c = socket.socket(); c.sendto(b'x' * 20, 0x20000000, l.getsockname())
port = c.getsockname()[1]; a, _ = l.accept(); a.recv(20, socket.MSG_WAITALL); c.close(); a.close(); l.close()
done(port=port)`,
  twice: `
l = listen(); c = socket.socket(); c.connect(l.getsockname()); first = c.getsockname()[1]
libc.connect(c.fileno(), struct.pack('H14x', 0), 16)
c.connect(l.getsockname()); second = c.getsockname()[1]; c.close(); l.close()
done(port=first, second=second)`,
  unreachable: `
s = socket.socket(); codes = []
for to in ['224.0.0.1', '224.0.0.2']:
    try: s.connect((to, 9))
    except OSError as e: codes.append(e.errno)
l = listen(); s.connect(l.getsockname()); port = s.getsockname()[1]; s.close(); l.close()
s = socket.socket(socket.AF_INET6)
try: s.connect(('ff02::1', 9))
except OSError as e: codes.append(e.errno)
s.close()
done(port=port, codes=codes)`,
  nonBlocking: `
l = listen(); c = socket.socket(); c.setblocking(False)
try: c.connect(l.getsockname())
except BlockingIOError: pass
select.select([], [c], [])
port = c.getsockname()[1]; a, _ = l.accept(); c.close(); a.close(); l.close()
done(port=port)`,
  refused: `
l = listen(); port = l.getsockname()[1]; l.close()
codes = []
for blocking in [True, False]:
    c = socket.socket(); c.setblocking(blocking)
    try:
        c.connect((LOCAL, port))
    except BlockingIOError:
        select.select([], [c], []); codes.append(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError as e: codes.append(e.errno)
    c.close()
done(port=port, codes=codes)`,
  exited: `
l = listen()
child = os.fork()
if child == 0:
    c = connect(l.getsockname()); c.send(b'123'); os._exit(0)
a, (_, port) = l.accept(); wait(child)
while a.recv(9): pass
a.close(); l.close()
done(port=port, child=child)`,
  ipv6: `
l = socket.socket(socket.AF_INET6); l.bind(('::1', 0)); l.listen(8)
c = connect(('::1', l.getsockname()[1])); port = c.getsockname()[1]
a, _ = l.accept(); c.send(b'1234'); a.recv(9); c.close(); a.close(); l.close()
done(port=port)`,
  ring: `
l = listen(); c = socket.socket(); result = ring_connect(c, l.getsockname(), 0)
if result is None: done(port=0, absent='io_uring'); sys.exit()
if result != 0: raise OSError(-result, 'connect')
port = c.getsockname()[1]; a, _ = l.accept(); c.send(b'12'); a.recv(9); c.close(); a.close(); l.close()
done(port=port)`,
  polledRing: `
l = listen(); c = socket.socket(); result = ring_connect(c, l.getsockname(), 2)
if result is None: done(port=0, absent='io_uring'); sys.exit()
if result != 0: raise OSError(-result, 'connect')
port = c.getsockname()[1]; a, _ = l.accept(); c.send(b'12'); a.recv(9); c.close(); a.close(); l.close()
done(port=port)`,
  counted: `
inode = unshare(); l = listen(backlog=64)
for _ in range(40):
    c = [connect(l.getsockname()) for _ in range(10)]
    a = [l.accept()[0] for _ in c]
    for s in c + a: s.close()
port = l.getsockname()[1]; l.close()
for _ in range(50):
    try: connect((LOCAL, port))
    except ConnectionRefusedError: pass
names, values = [line.split()[1:] for line in open('/proc/self/net/snmp') if line.startswith('Tcp:')]
tcp = dict(zip(names, map(int, values)))
done(port=port, inode=inode, active=tcp['ActiveOpens'], passive=tcp['PassiveOpens'], failed=tcp['AttemptFails'])`,
  namespaces: `
inodes = []
for _ in range(2):
    inodes.append(unshare())
    l = listen(port=5000); c = connect((LOCAL, 5000), port=5001); a, _ = l.accept()
    c.send(b'1' * len(inodes)); a.recv(9); c.close(); a.close(); l.close()
done(port=5001, inodes=inodes)`,
} as const

export type Situation = keyof typeof SITUATIONS

export const SITUATION_NAMES = Object.keys(SITUATIONS) as readonly Situation[]

export type Facts = { readonly pid: number; readonly port: number } & Readonly<Record<string, unknown>>

export const hasPython: boolean =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0

/** Runs a situation to its end. */
export function run(situation: Situation): Promise<Facts> {
  return runProgram(situation, SITUATIONS[situation])
}

/** Runs a program to its end, which prints what it did as its last line. */
export async function runProgram(situation: string, program: string): Promise<Facts> {
  const child = spawn('python3', ['-c', PRELUDE + program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 30_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0) throw new Error(`${situation} ended with ${code ?? signal}: ${output}`)
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Facts
}
