/** Situations of files, for tests: Python programs that run in a directory of their own, and what is to be seen of each. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

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
def wait(pid): os.waitpid(pid, 0)
`

/** Ways of learning that work together. */
export type Mode = 'both' | 'calls' | 'notices'

export interface FileSituation {
  /** Done before anything is watched. */
  readonly before?: string
  readonly code: string
  /** What is to be seen, in this order. By mode, where modes differ; undefined where it may be anything. */
  readonly seen: readonly string[] | Readonly<Record<Mode, readonly string[] | undefined>>
}

/** Names that only a process gave. */
const unverified = (...lines: readonly string[]): string[] => lines.map((line) => `${line} unverified`)

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
    before: `touch('f')`,
    code: `
fd = os.open('f', os.O_WRONLY)
child = os.fork()
if child == 0:
    os.write(fd, b'x'); os._exit(0)
wait(child)
os.close(fd)`,
    seen: ['modify f by child'],
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
      notices: ['mkdir d', 'mknod p', 'symlink s', 'link f', 'link h', 'rmdir d'],
    },
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
    seen: {
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
    seen: {
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
  'many threads': {
    code: `
def work(n):
    for i in range(10): write(f't{n}-{i}')
threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()`,
    seen: {
      both: undefined,
      calls: undefined,
      notices: undefined,
    },
  },
}

/** Whether Python is there to make them. */
export const hasPython: boolean =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0

/** Runs a part of a situation in a directory; resolves with the pid. */
export async function run(code: string, cwd: string): Promise<number> {
  const child = spawn('python3', ['-c', PRELUDE + code], { cwd, stdio: 'inherit', timeout: 30_000 })
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (status !== 0) throw new Error(`${cwd} ended with ${status ?? signal}`)
  return child.pid as number
}
