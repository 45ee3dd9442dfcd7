/** Situations of files, for tests: Python programs that run in a directory of their own, and what is to be seen of each. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { RING_PRELUDE } from './ring.js'
import type { RungName } from './rungs.js'

const PRELUDE = `
import ctypes, mmap, os, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0: raise OSError(ctypes.get_errno(), name)
    return result
def write(path, text=b'x', flags=os.O_WRONLY | os.O_CREAT):
    fd = os.open(path, flags, 0o644)
    os.write(fd, text)
    os.close(fd)
def touch(path): os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
def wait(pid):
    status = os.waitpid(pid, 0)[1]
    if status != 0: raise OSError(f'a child ended with {status}')
class Absent(Exception): pass
# System calls of 32-bit programs: eax, ebx, ecx, edx; addresses are below 4 GB.
def call32(number, a=0, b=0, c=0):
    pages = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
    pages.write(bytes.fromhex('5389f889f387cacd805bc3'))
    at = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    return ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int] * 4)(at)(number, a, b, c)
def low(text):
    pages = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)
    pages.write(text)
    low.kept.append(pages)
    return ctypes.addressof(ctypes.c_char.from_buffer(pages))
low.kept = []
`

/** Runs each of the programs that stdin has in a process and a directory of its own, and prints what became of them. */
const DRIVER = `
import json, os, signal, sys, traceback
prelude, programs = json.load(sys.stdin)
ran = []
for directory, code in programs:
    out, inn = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        os.chdir(directory)
        signal.alarm(60)
        status = 0
        scope = {}
        try:
            exec(prelude, scope)
            exec(code, scope)
        except BaseException as error:
            if isinstance(error, SystemExit) and not error.code: pass
            elif type(error).__name__ == 'Absent':
                os.write(inn, str(error).encode()); status = 77
            else:
                traceback.print_exc(); status = 1
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(status)
    os.close(inn)
    said = b''
    while True:
        more = os.read(out, 4096)
        if not more: break
        said += more
    os.close(out)
    ran.append([pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()])
print(json.dumps(ran))
`

type SeenBy = Exclude<RungName, 'kprobes'>

export interface FileSituation {
  /** Done before anything is watched. */
  readonly before?: string
  /** Raises `Absent` where the machine does not have what it is about. */
  readonly code: string
  readonly isAnyOrder?: boolean
  /** All that happened, where no sort of rungs sees all of it: what a process has open when it ends, as a tree is followed. */
  readonly whole?: readonly string[]
  /** Functions tell in one event what calls tell in several. */
  readonly isJoined?: boolean
  /**
   * What is to be seen, in this order. By rungs, where they differ; undefined where it may be anything. `functions` is also
   * about kprobes; left out, it is as `both`.
   */
  readonly seen: readonly string[] | Partial<Readonly<Record<SeenBy, readonly string[] | undefined>>>
}

/** Names that only a process gave. */
const unverified = (...lines: readonly string[]): string[] => lines.map((line) => `${line} unverified`)

const THREADED = Array.from({ length: 40 }, (_, i) => `t${Math.floor(i / 10)}-${i % 10}`)

/** Each is a program of its own. */
export const SITUATIONS: Readonly<Record<string, FileSituation>> = {
  'create, write, close, unlink': {
    code: `write('f', b'12345'); os.unlink('f')`,
    seen: {
      both: ['create+modify+close f wrote 5', 'remove f'],
      calls: ['create+modify+close f wrote 5', 'remove f unverified'],
      notices: ['create+modify f', 'remove f'],
    },
  },
  'create only': { code: `touch('f')`, seen: ['create f'] },
  'open for writing, and close': {
    before: `write('f')`,
    code: `os.close(os.open('f', os.O_RDWR))`,
    seen: [],
  },
  'O_TRUNC of 100 bytes': {
    before: `write('f', b'x' * 100)`,
    code: `os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))`,
    seen: { both: ['truncate f'], calls: ['truncate f'], notices: ['modify f'] },
  },
  exchange: {
    before: `write('a'); write('b')`,
    code: `call('renameat2', -100, b'a', -100, b'b', 2)`,
    seen: {
      both: ['exchange b <- a'],
      calls: unverified('exchange b <- a'),
      notices: ['move b <- a', 'move a <- b'],
    },
  },
  'rename over a file': {
    before: `write('x'); write('y')`,
    code: `os.rename('x', 'y')`,
    seen: { both: ['move y <- x'], calls: unverified('move y <- x'), notices: ['move y <- x'] },
  },
  'through a symbolic link': {
    before: `os.mkdir('q'); os.symlink('q', 's')`,
    code: `touch('s/f'); os.unlink('s/f')`,
    seen: {
      both: ['create q/f', 'remove q/f'],
      calls: ['create q/f', 'remove s/f unverified'],
      notices: ['create q/f', 'remove q/f'],
    },
  },
  'open, unlink, write': {
    before: `touch('f')`,
    code: `fd = os.open('f', os.O_WRONLY); os.unlink('f'); os.write(fd, b'xyz'); os.close(fd)`,
    seen: {
      both: ['remove f', 'modify+close f wrote 3 deleted'],
      calls: ['remove f unverified', 'modify+close f wrote 3 deleted'],
      notices: undefined,
    },
  },
  'a child writes to a descriptor of its parent': {
    whole: ['modify+close f wrote 1 by child'],
    before: `touch('f')`,
    code: `
fd = os.open('f', os.O_WRONLY)
child = os.fork()
if child == 0:
    os.write(fd, b'x'); os._exit(0)
wait(child)
os.close(fd)`,
    seen: {
      both: ['modify f by child'],
      calls: ['modify f by child'],
      notices: ['modify f by child'],
    },
  },
  'O_TMPFILE, and a link': {
    code: `
fd = os.open('.', os.O_WRONLY | os.O_TMPFILE, 0o600)
call('linkat', -100, f'/proc/self/fd/{fd}'.encode(), -100, b'final', 0x400)`,
    seen: { both: ['link final'], calls: undefined, notices: ['create final'] },
  },
  'odd bytes in a name': {
    code: `touch(b'n\\xc3\\xa4\\n"')`,
    seen: ['create nä\n"'],
  },
  'a directory that moves': {
    code: `
os.mkdir('d'); touch('d/f'); os.rename('d', 'e'); touch('e/g')
os.unlink('e/f'); os.unlink('e/g'); os.rmdir('e')`,
    seen: {
      both: ['mkdir d', 'create d/f', 'move e <- d', 'create e/g', 'remove e/f', 'remove e/g', 'rmdir e'],
      calls: [
        ...unverified('mkdir d'),
        'create d/f',
        ...unverified('move e <- d'),
        'create e/g',
        ...unverified('remove e/f', 'remove e/g', 'rmdir e'),
      ],
      notices: undefined,
    },
  },
  '100 times opened and written': {
    before: `touch('f')`,
    code: `for _ in range(100): write('f', b'x', os.O_WRONLY)`,
    seen: {
      both: Array.from({ length: 100 }, () => 'modify+close f wrote 1'),
      calls: Array.from({ length: 100 }, () => 'modify+close f wrote 1'),
      notices: undefined,
    },
  },
  '100 writes by one descriptor': {
    before: `touch('f')`,
    code: `
fd = os.open('f', os.O_WRONLY)
for _ in range(100): os.write(fd, b'x')
os.close(fd)`,
    seen: {
      both: ['modify+close f wrote 100'],
      calls: ['modify+close f wrote 100'],
      notices: ['modify f'],
    },
  },
  'all sorts of nodes': {
    code: `
os.mkdir('d'); os.mkfifo('p'); os.symlink('nowhere', 's'); touch('f'); os.link('f', 'h'); os.rmdir('d')`,
    seen: {
      both: ['mkdir d', 'mknod p', 'symlink s -> nowhere', 'create f', 'link h <- f', 'rmdir d'],
      calls: [
        ...unverified('mkdir d', 'mknod p', 'symlink s -> nowhere'),
        'create f',
        ...unverified('link h <- f', 'rmdir d'),
      ],
      // A file may have its other name already when it is looked at.
      notices: undefined,
    },
  },
  'what is written to a FIFO and to a device': {
    before: `os.mkfifo('p'); os.mknod('null', 0o20666, os.makedev(1, 3))`,
    code: `
fd = os.open('p', os.O_RDWR); os.write(fd, b'x'); os.close(fd)
fd = os.open('null', os.O_WRONLY); os.write(fd, b'x'); os.close(fd)
touch('f')`,
    seen: { both: ['create f'], calls: ['create f'], notices: ['create f'] },
  },
  'a Unix socket': {
    code: `
import socket
s = socket.socket(socket.AF_UNIX); s.bind('sock')`,
    seen: { both: ['mknod sock'], calls: [], notices: ['mknod sock'] },
  },
  attributes: {
    before: `touch('f')`,
    code: `
os.chmod('f', 0o600); os.chown('f', 1, 1); os.utime('f', (1, 2)); os.setxattr('f', 'trusted.a', b'1')`,
    isJoined: true,
    seen: {
      functions: ['chmod+chown+utimes+xattr f'],
      both: ['chmod f', 'chown f', 'utimes f', 'xattr f'],
      calls: unverified('chmod f', 'chown f', 'utimes f', 'xattr f'),
      notices: ['attributes f'],
    },
  },
  'attributes by descriptor': {
    before: `touch('f')`,
    code: `
fd = os.open('f', os.O_RDONLY)
os.fchmod(fd, 0o600); os.fchown(fd, 1, 1); os.utime(fd, (1, 2)); os.setxattr(fd, 'trusted.a', b'1')`,
    seen: {
      both: ['chmod+chown+utimes+xattr f'],
      calls: ['chmod+chown+utimes+xattr f'],
      notices: ['attributes f'],
    },
  },
  'size and space': {
    before: `write('f', b'x' * 100); write('g', b'x' * 100)`,
    code: `
fd = os.open('f', os.O_WRONLY); os.ftruncate(fd, 10); os.posix_fallocate(fd, 0, 50)
os.truncate('g', 1)`,
    seen: {
      both: ['truncate+modify f', 'truncate g'],
      calls: ['truncate+modify f', 'truncate g unverified'],
      notices: ['modify f', 'modify g'],
    },
  },
  'copies in the kernel': {
    before: `write('a', b'12345'); touch('b'); touch('c')`,
    code: `
a = os.open('a', os.O_RDONLY)
b = os.open('b', os.O_WRONLY); os.copy_file_range(a, b, 5); os.close(b)
c = os.open('c', os.O_WRONLY); os.sendfile(c, a, 0, 4); os.close(c)`,
    seen: {
      both: ['modify+close b wrote 5', 'modify+close c wrote 4'],
      calls: ['modify+close b wrote 5', 'modify+close c wrote 4'],
      notices: ['modify b', 'modify c'],
    },
  },
  'several pieces': {
    before: `touch('f')`,
    code: `fd = os.open('f', os.O_WRONLY); os.writev(fd, [b'1', b'23']); os.pwrite(fd, b'4', 9); os.close(fd)`,
    seen: { both: ['modify+close f wrote 4'], calls: ['modify+close f wrote 4'], notices: ['modify f'] },
  },
  'calls that fail': {
    before: `write('f'); os.mkdir('d')`,
    code: `
def refused(call, *args):
    try: call(*args)
    except OSError: return
    raise AssertionError(args)
refused(os.unlink, 'g'); refused(os.rename, 'g', 'f'); refused(os.mkdir, 'd'); refused(os.rmdir, 'f')
refused(os.open, 'f', os.O_CREAT | os.O_EXCL | os.O_WRONLY); refused(os.link, 'f', 'd')`,
    seen: [],
  },
  'what is open before it is duplicated': {
    before: `touch('f')`,
    code: `
a = os.open('f', os.O_WRONLY); os.write(a, b'12'); b = os.dup(a); os.close(a)
os.write(b, b'345'); os.close(b)`,
    isJoined: true,
    seen: {
      functions: ['modify+close f wrote 5'],
      both: ['modify+close f wrote 2', 'modify+close f wrote 3'],
      calls: ['modify+close f wrote 2', 'modify+close f wrote 3'],
      notices: ['modify f'],
    },
  },
  'an inode that is used again': {
    code: `
for i in range(20):
    write(f'f{i}', b'x'); os.unlink(f'f{i}')`,
    seen: {
      both: Array.from({ length: 20 }, (_, i) => [
        `create+modify+close f${i} wrote 1`,
        `remove f${i}`,
      ]).flat(),
      calls: Array.from({ length: 20 }, (_, i) => [
        `create+modify+close f${i} wrote 1`,
        `remove f${i} unverified`,
      ]).flat(),
      notices: undefined,
    },
  },
  'equal names in several directories': {
    before: `
for d in 'abc':
    os.mkdir(d); touch(f'{d}/f')`,
    code: `
for d in 'cab': os.unlink(f'{d}/f')`,
    seen: {
      both: ['remove c/f', 'remove a/f', 'remove b/f'],
      calls: unverified('remove c/f', 'remove a/f', 'remove b/f'),
      notices: ['remove c/f', 'remove a/f', 'remove b/f'],
    },
  },
  'relative to directories': {
    before: `os.mkdir('d'); touch('d/f')`,
    code: `
d = os.open('d', os.O_RDONLY)
os.rename('f', 'g', src_dir_fd=d, dst_dir_fd=d); os.mkdir('h', dir_fd=d); os.unlink('g', dir_fd=d)
os.chdir('d'); os.rename('../d/h', '../h')`,
    seen: {
      both: ['move d/g <- d/f', 'mkdir d/h', 'remove d/g', 'move h <- d/h'],
      calls: unverified('move d/g <- d/f', 'mkdir d/h', 'remove d/g', 'move h <- d/h'),
      notices: undefined,
    },
  },
  'in a root directory of its own': {
    before: `os.mkdir('r'); touch('r/f')`,
    code: `
child = os.fork()
if child == 0:
    os.chroot('r'); os.chdir('/'); write('/f', b'12', os.O_WRONLY); os.unlink('/f'); os._exit(0)
wait(child)`,
    seen: {
      both: ['modify+close r/f wrote 2 by child', 'remove r/f by child'],
      calls: ['modify+close r/f wrote 2 by child', 'remove r/f unverified by child'],
      notices: ['modify r/f by child', 'remove r/f by child'],
    },
  },
  'changes by io_uring': {
    code: `
ring = Ring()
ring.mkdir(b'd'); fd = ring.open(b'f', os.O_WRONLY | os.O_CREAT); ring.write(fd, b'123'); ring.close(fd)
ring.rename(b'f', b'g'); ring.unlink(b'g')`,
    seen: {
      functions: ['mkdir d', 'create+modify+close f', 'move g <- f', 'remove g'],
      both: ['mkdir d', 'create+modify f', 'move g <- f', 'remove g'],
      calls: [],
      notices: ['mkdir d', 'create+modify f', 'move g <- f', 'remove g'],
    },
  },
  'changes by a thread of io_uring': {
    code: `
ring = Ring(2)
fd = ring.open(b'f', os.O_WRONLY | os.O_CREAT); ring.write(fd, b'123'); ring.close(fd); ring.unlink(b'f')`,
    seen: {
      functions: ['create+modify+close f', 'remove f'],
      both: ['create+modify f', 'remove f'],
      calls: [],
      notices: undefined,
    },
  },
  'a write by io_uring to what a call opened': {
    before: `touch('f')`,
    code: `
ring = Ring()
fd = os.open('f', os.O_WRONLY); ring.write(fd, b'123'); os.close(fd)`,
    seen: {
      functions: ['modify+close f'],
      both: ['modify f'],
      calls: [],
      notices: ['modify f'],
    },
  },
  'mapped memory': {
    before: `write('f', b'x' * 5000)`,
    code: `
fd = os.open('f', os.O_RDWR); m = mmap.mmap(fd, 5000); m[0] = 65; m[4100] = 66; m.close(); os.close(fd)`,
    seen: { functions: ['modify+close f'], both: [], calls: [], notices: [] },
  },
  'mapped memory after the descriptor is closed': {
    before: `write('f', b'x' * 5000)`,
    code: `
libc.mmap.restype = ctypes.c_void_p
fd = os.open('f', os.O_RDWR)
at = libc.mmap(None, 4096, 3, 1, fd, ctypes.c_long(0)); os.close(fd)
ctypes.memmove(at, b'abc', 3); libc.munmap(ctypes.c_void_p(at), 4096)`,
    seen: { functions: ['modify+close f'], both: [], calls: [], notices: [] },
  },
  'memory that is mapped to be read, and privately': {
    before: `write('f', b'x' * 5000)`,
    code: `
fd = os.open('f', os.O_RDWR)
m = mmap.mmap(fd, 5000, prot=mmap.PROT_READ); m[1]; n = mmap.mmap(fd, 5000, flags=mmap.MAP_PRIVATE); n[0] = 65`,
    seen: [],
  },
  'calls of 32-bit programs': {
    code: `
name = low(b'f\\0'); text = low(b'123')
if ctypes.sizeof(ctypes.c_long) == 4 or os.uname().machine != 'x86_64': raise Absent('32-bit calls')
child = os.fork()
if child == 0: call32(20); os._exit(0)
if os.waitpid(child, 0)[1] != 0: raise Absent('32-bit calls')
fd = call32(5, name, os.O_WRONLY | os.O_CREAT, 0o644)
if fd == -38: raise Absent('32-bit calls')
call32(4, fd, text, 3); call32(6, fd); call32(10, name)`,
    seen: {
      functions: ['create+modify+close f', 'remove f'],
      both: ['create+modify f', 'remove f'],
      calls: [],
      notices: ['create+modify f', 'remove f'],
    },
  },
  'a name that is not UTF-8': {
    code: `write(b'n\\xff\\n"', b'1'); os.rename(b'n\\xff\\n"', b'\\xc3('); os.unlink(b'\\xc3(')`,
    seen: {
      both: ['create+modify+close n\ufffd\n" wrote 1', 'move \ufffd( <- n\ufffd\n"', 'remove \ufffd('],
      calls: [
        'create+modify+close n\ufffd\n" wrote 1',
        ...unverified('move \ufffd( <- n\ufffd\n"', 'remove \ufffd('),
      ],
      notices: undefined,
    },
  },
  'a file that is replaced while it is open': {
    before: `touch('f'); touch('g')`,
    code: `
fd = os.open('f', os.O_WRONLY); os.rename('g', 'f'); os.write(fd, b'12'); os.close(fd)
write('f', b'345', os.O_WRONLY)`,
    seen: {
      both: ['move f <- g', 'modify+close f wrote 2 deleted', 'modify+close f wrote 3'],
      calls: ['move f <- g unverified', 'modify+close f wrote 2 deleted', 'modify+close f wrote 3'],
      notices: undefined,
    },
  },
  'a descriptor that is used again at once': {
    before: `
for i in range(40): touch(f'f{i}')`,
    code: `
fds = set()
for i in range(40):
    fd = os.open(f'f{i}', os.O_WRONLY); fds.add(fd); os.write(fd, b'x' * i); os.close(fd)
assert len(fds) == 1`,
    seen: {
      both: Array.from({ length: 39 }, (_, i) => `modify+close f${i + 1} wrote ${i + 1}`),
      calls: Array.from({ length: 39 }, (_, i) => `modify+close f${i + 1} wrote ${i + 1}`),
      notices: Array.from({ length: 39 }, (_, i) => `modify f${i + 1}`),
    },
  },
  'a descriptor that becomes another one': {
    before: `touch('f'); touch('g')`,
    code: `
a = os.open('f', os.O_WRONLY); b = os.open('g', os.O_WRONLY)
os.write(b, b'1'); os.dup2(a, b); os.write(b, b'23'); os.close(b)`,
    whole: ['modify+close g wrote 1', 'modify+close f wrote 2'],
    seen: {
      functions: ['modify+close g wrote 1', 'modify f'],
      both: ['modify+close g wrote 1', 'modify+close f wrote 2'],
      calls: ['modify+close g wrote 1', 'modify+close f wrote 2'],
      notices: ['modify g', 'modify f'],
    },
  },
  'written to until the process ends': {
    whole: ['modify+close f wrote 3'],
    before: `touch('f')`,
    code: `os.write(os.open('f', os.O_WRONLY), b'123')`,
    seen: {
      both: ['modify f'],
      calls: ['modify f'],
      notices: ['modify f'],
    },
  },
  'a path of more than 4,096 bytes': {
    code: `
for _ in range(24): os.mkdir('d' * 200); os.chdir('d' * 200)
touch('f'); os.unlink('f')
for _ in range(24): os.chdir('..'); os.rmdir('d' * 200)`,
    seen: { both: undefined, calls: undefined, notices: undefined },
  },
  'a directory that is moved below another one': {
    before: `os.makedirs('a/b'); os.mkdir('c'); touch('a/b/f')`,
    code: `os.rename('a/b', 'c/d'); os.rename('c/d/f', 'c/g'); os.rmdir('c/d')`,
    seen: {
      both: ['move c/d <- a/b', 'move c/g <- c/d/f', 'rmdir c/d'],
      calls: unverified('move c/d <- a/b', 'move c/g <- c/d/f', 'rmdir c/d'),
      notices: undefined,
    },
  },
  'a move over an open file, and one that must not replace': {
    before: `touch('a'); touch('b')`,
    code: `
fd = os.open('b', os.O_RDONLY); os.rename('a', 'b')
if libc.renameat2(-100, b'b', -100, b'b2', 1) != 0: raise OSError('renameat2')
if libc.renameat2(-100, b'b2', -100, b'b2', 1) == 0: raise OSError('it replaced')`,
    seen: {
      both: ['move b <- a', 'move b2 <- b'],
      calls: unverified('move b <- a', 'move b2 <- b'),
      notices: undefined,
    },
  },
  'names of one file': {
    before: `touch('f')`,
    code: `os.link('f', 'g'); write('g', b'12', os.O_WRONLY); os.unlink('f'); os.unlink('g')`,
    seen: {
      both: ['link g <- f', 'modify+close g wrote 2', 'remove f', 'remove g'],
      calls: ['link g <- f unverified', 'modify+close g wrote 2', ...unverified('remove f', 'remove g')],
      notices: undefined,
    },
  },
  'a file without a name': {
    code: `
fd = os.open('.', os.O_WRONLY | os.O_TMPFILE, 0o600); os.write(fd, b'12'); os.close(fd)`,
    seen: {
      both: ['modify+close #N wrote 2 deleted'],
      calls: ['modify+close #N wrote 2 deleted'],
      notices: ['modify #N'],
    },
  },
  'appended to, and cut by name': {
    before: `write('f', b'123')`,
    code: `
fd = os.open('f', os.O_WRONLY | os.O_APPEND); os.write(fd, b'45'); os.close(fd); os.truncate('f', 0)`,
    seen: {
      both: ['modify+close f wrote 2', 'truncate f'],
      calls: ['modify+close f wrote 2', 'truncate f unverified'],
      notices: undefined,
    },
  },
  'writes that fail': {
    before: `touch('f')`,
    code: `
fd = os.open('f', os.O_WRONLY)
if libc.write(fd, ctypes.c_void_p(8), 5) != -1: raise OSError('it was written')
os.close(fd)`,
    seen: { both: [], calls: [], notices: [] },
  },
  'a regular file by mknod(2)': {
    code: `os.mknod('f', 0o100644)`,
    seen: {
      both: ['mknod f'],
      calls: ['mknod f unverified'],
      notices: ['create f'],
    },
  },
  'many threads': {
    isAnyOrder: true,
    code: `
def work(n):
    for i in range(10): write(f't{n}-{i}')
threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()`,
    seen: {
      both: THREADED.map((name) => `create+modify+close ${name} wrote 1`),
      calls: THREADED.map((name) => `create+modify+close ${name} wrote 1`),
      notices: THREADED.map((name) => `create+modify ${name}`),
    },
  },
}

/** Whether Python is there to make them. */
export const hasPython: boolean =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0

/** What became of a situation. */
export interface Ran {
  readonly pid: number
  /** What the machine does not have. */
  readonly absent: string | undefined
}

/**
 * Runs programs one after the other, each in a process of its own.
 *
 * @param programs directory and code
 * @throws {Error} if one fails
 */
export async function runAll(programs: readonly (readonly [string, string])[]): Promise<Ran[]> {
  const child = spawn('python3', ['-c', DRIVER], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  child.stdin.end(JSON.stringify([PRELUDE + RING_PRELUDE, programs]))
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (status !== 0) throw new Error(`the situations ended with ${status ?? signal}`)
  return (JSON.parse(text) as [number, number, string][]).map(([pid, code, said], index) => {
    if (code !== 0 && code !== 77) throw new Error(`${programs[index]?.[0]} ended with ${code}`)
    return { pid, absent: code === 77 ? said : undefined }
  })
}

/** All that happened, as a sort of rungs would tell it. */
export function wholeOf(situation: FileSituation, rung: RungName): readonly string[] | undefined {
  if (situation.whole !== undefined) return situation.whole
  const isByFunctions = rung === 'functions' || rung === 'kprobes'
  return expectedOf(situation, isByFunctions || situation.isJoined !== true ? 'functions' : 'both')
}

/** What is to be seen with a sort of rungs; undefined where it may be anything. */
export function expectedOf({ seen }: FileSituation, rung: RungName): readonly string[] | undefined {
  if (Array.isArray(seen)) return seen as readonly string[]
  const by = seen as Partial<Record<SeenBy, readonly string[] | undefined>>
  if (rung !== 'functions' && rung !== 'kprobes') return by[rung]
  return 'functions' in by ? by.functions : by.both
}
