import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import {
  add,
  and,
  at,
  bootNs,
  bytesTail,
  callArgument,
  cast,
  cgroupSkb,
  cpu,
  cstring,
  currentCgroupId,
  currentPidTgid,
  currentTask,
  currentUidGid,
  type Elements,
  eq,
  gt,
  int,
  isInCall,
  kernelIovec,
  lookup,
  lt,
  map,
  monotonicNs,
  ne,
  oneOf,
  or,
  packetBytes,
  probe,
  record,
  type Scalar,
  socketCookie,
  struct,
  sub,
  sysExit,
  tracepoint,
  u32,
  u64,
  userIovec,
  userStruct,
  userValue,
  type Value,
  walkUp,
} from '../probe/index.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, FLAVORS, openSession, produceRenames, type Task } from '../testing/process-probes.js'
import { kernelAtLeast } from '../sys/platform.js'

expectNoLeaks()

interface File {
  readonly f_inode: { readonly i_ino: Scalar }
}

interface TaskWithFiles extends Task {
  readonly files: { readonly fdt: { readonly fd: Elements<File>; readonly max_fds: Scalar } }
  readonly signal: Task['signal'] & { readonly rlim: Elements<{ readonly rlim_cur: Scalar }> }
}

const renameHook = tracepoint('task_rename', [struct<TaskWithFiles>('task_struct', 'task'), cstring('comm')])
const isSelf = (task: Task): Scalar => and(eq(task.tgid, process.pid), eq(task.pid, process.pid))

/** Inputs that tests pass to their probes. */
const settings = map({ name: 't_settings', type: 'array', key: u32, value: u64, maxEntries: 4 })

for (const flavor of FLAVORS) {
  kernelTest(`${flavor}: it is known which system call the current task is in`, '5.15', () => {
    const declared = probe(
      { name: 't_call', hook: renameHook, record: record(1, 't_call', { isIts: u32, isOther: u32 }) },
      (task) => ({
        when: isSelf(task),
        fill: {
          isIts: isInCall(['write', 'pwrite64']),
          isOther: isInCall(['read', 'writev', 'unlinkat']),
        },
      }),
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    const file = openSync('/proc/self/comm', 'r+')
    const name = readFileSync('/proc/self/comm')
    writeSync(file, 'renamed')
    writeSync(file, name)
    closeSync(file)
    assert.deepEqual(
      drainRecords(session, declared).map(({ isIts, isOther }) => [isIts, isOther]),
      [
        [1, 0],
        [1, 0],
      ],
    )
  })

  kernelTest(`${flavor}: an address is seen as a structure, and an index is computed`, '5.8', () => {
    const declared = probe(
      {
        name: 't_cast',
        hook: renameHook,
        record: record(1, 't_cast', {
          parent: u32,
          same: u32,
          inode: u64,
          beyond: u64,
          negative: u64,
          files: u64,
          rlimit: u64,
          nothing: u32,
        }),
      },
      (task) => {
        const { fd, max_fds: count } = task.files.fdt
        const wanted = lookup(settings, 0)
        return {
          when: isSelf(task),
          fill: {
            parent: cast<Task>('task_struct', task.real_parent).tgid,
            same: cast<Task>('task_struct', cast<Task>('task_struct', task).group_leader).tgid,
            inode: at(fd, wanted, count).f_inode.i_ino,
            beyond: at(fd, count, count).f_inode.i_ino,
            negative: at(fd, sub(wanted, 1000), count).f_inode.i_ino,
            files: count,
            rlimit: at(task.signal.rlim, lookup(settings, 1)).rlim_cur,
            nothing: cast<Task>('task_struct', sub(wanted, wanted)).tgid,
          },
        }
      },
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    const fd = openSync('/etc/passwd', 'r')
    session.map(settings).set(0, BigInt(fd))
    // RLIMIT_NOFILE
    session.map(settings).set(1, 7n)
    produceRenames(1)
    const { ino } = fstatSync(fd, { bigint: true })
    closeSync(fd)
    const [found] = drainRecords(session, declared)
    const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    assert.ok(found !== undefined && found.files > BigInt(fd))
    assert.deepEqual(
      { ...found, type: 1, cpu: 0, seq: 0, timeNs: 0n, files: 0n },
      {
        type: 1,
        cpu: 0,
        seq: 0,
        timeNs: 0n,
        files: 0n,
        parent: process.ppid,
        same: process.pid,
        inode: ino,
        beyond: 0n,
        negative: 0n,
        rlimit: BigInt(limit ?? 0),
        nothing: 0,
      },
    )
  })

  kernelTest(`${flavor}: conditions have sets, wide constants, and as many parts as they like`, '5.8', () => {
    const pids = Array.from({ length: 200 }, (_, i) => 2 ** 31 + i * 3)
    const many = (task: Task): Scalar =>
      Array.from({ length: 60 }, (_, i) => ne(task.exit_code, 2 ** 40 + i)).reduce((all, one) =>
        and(all, one),
      )
    const declared = probe(
      { name: 't_set', hook: renameHook, record: record(2, 't_set', { kernel: u32, wide: u64 }) },
      (task) => ({
        when: and(
          oneOf(task.tgid, [...pids, process.pid]),
          lt(task.tgid, 4294967295),
          gt(1n << 40n, task.tgid),
          many(task),
          or(eq(task.pid, 1n << 40n), eq(task.pid, process.pid)),
        ),
        fill: { kernel: oneOf(task.tgid, pids), wide: (1n << 40n) + 1n },
      }),
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    produceRenames(2)
    assert.deepEqual(
      drainRecords(session, declared).map(({ kernel, wide }) => [kernel, wide]),
      [
        [0, (1n << 40n) + 1n],
        [0, (1n << 40n) + 1n],
      ],
    )
  })

  kernelTest(`${flavor}: what helpers answer is a value`, '5.8', () => {
    const declared = probe(
      {
        name: 't_helpers',
        hook: renameHook,
        record: record(3, 't_helpers', {
          pidTgid: u64,
          uidGid: u64,
          cgroup: u64,
          boot: u64,
          monotonic: u64,
          on: u32,
        }),
      },
      (task) => ({
        when: isSelf(task),
        fill: {
          pidTgid: currentPidTgid(),
          uidGid: currentUidGid(),
          cgroup: currentCgroupId(),
          boot: bootNs(),
          monotonic: monotonicNs(),
          on: cpu(),
        },
      }),
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    produceRenames(1)
    const now = process.hrtime.bigint()
    const [found] = drainRecords(session, declared)
    assert.ok(found !== undefined)
    assert.equal(threadId, 0)
    assert.equal(found.pidTgid, (BigInt(process.pid) << 32n) | BigInt(process.pid))
    assert.equal(found.uidGid, (BigInt(process.getgid?.() ?? 0) << 32n) | BigInt(process.getuid?.() ?? 0))
    assert.ok(found.cgroup > 0n)
    assert.ok(found.boot >= found.timeNs && found.boot < found.timeNs + 1_000_000_000n)
    assert.ok(found.monotonic <= now && found.monotonic > now - 10_000_000_000n)
    assert.equal(found.on, found.cpu)
  })

  kernelTest(`${flavor}: user memory is read as numbers, and in pieces`, '5.8', () => {
    const declared = probe(
      {
        name: 't_writev',
        hook: sysExit(['writev', 'pwritev']),
        record: record(4, 't_writev', {
          length: u64,
          first: u32,
          second: u64,
          nowhere: u64,
          result: u64,
          text: bytesTail(64),
          short: bytesTail(7),
        }),
      },
      (call, result) => {
        const address = callArgument(call, 1)
        const { length, start } = userStruct(address, { start: u64, length: u64 })
        return {
          when: eq(currentTask<Task>().tgid, process.pid),
          fill: {
            length,
            first: userValue(start, 0, 1),
            second: userValue(address, 24, 8),
            nowhere: userValue(1, 0, 8),
            result,
            text: userIovec(address, callArgument(call, 2)),
            short: userIovec(address, callArgument(call, 2)),
          },
        }
      },
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    const fd = openSync('/dev/null', 'w')
    const pieces = (...texts: string[]): number =>
      writevSync(
        fd,
        texts.map((text) => Buffer.from(text)),
      )
    pieces('one', 'twotwo', 'three')
    pieces('x'.repeat(63), 'yz')
    pieces(...'abcdefghij')
    pieces('x'.repeat(100), 'yz')
    closeSync(fd)
    const found = drainRecords(session, declared)
    const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()
    assert.deepEqual(
      found.map(({ length, first, second, nowhere, result, text: whole, short }) => ({
        numbers: [length, first, second, nowhere, result],
        text: text(whole),
        short: text(short),
      })),
      [
        { numbers: [3n, 0x6f, 6n, 0n, 14n], text: 'onetwotwothree', short: 'onetwot' },
        { numbers: [63n, 0x78, 2n, 0n, 65n], text: `${'x'.repeat(63)}y`, short: 'xxxxxxx' },
        { numbers: [1n, 0x61, 1n, 0n, 10n], text: 'abcdefgh', short: 'abcdefg' },
        { numbers: [100n, 0x78, 2n, 0n, 102n], text: 'x'.repeat(64), short: 'xxxxxxx' },
      ],
    )
  })
}

/** Where `si` is in the saved registers of x86-64, with `di` behind it. */
const SI = 104

for (const flavor of FLAVORS) {
  kernelTest(
    `${flavor}: pieces of user memory that the kernel has a list of are read, or the only one`,
    '5.8',
    (t) => {
      if (process.arch !== 'x64') {
        t.skip('the registers of x86-64 stand for a list')
        return
      }
      const declared = probe(
        {
          name: 't_iovec',
          hook: sysExit(['write']),
          record: record(8, 't_iovec', {
            listed: bytesTail(64),
            only: bytesTail(64),
            short: bytesTail(4),
            none: bytesTail(64),
          }),
        },
        (call) => {
          const [start, length] = [callArgument(call, 1), callArgument(call, 2)]
          // Where the bytes are, and the number of the file as their length.
          const address = add(call as unknown as Scalar, SI)
          const list = { address, count: 1, start: 0, length: 0 }
          const only = { address: 0, count: 1, start, length }
          return {
            when: eq(currentTask<Task>().tgid, process.pid),
            fill: {
              listed: kernelIovec(list),
              only: kernelIovec(only),
              short: kernelIovec(only),
              none: kernelIovec({ ...list, count: 0 }),
            },
          }
        },
      )
      using session = openSession({ flavor, loop: 'bounded' })
      session.attach(declared)
      const fd = openSync('/dev/null', 'w')
      writeSync(fd, 'a'.repeat(60))
      closeSync(fd)
      const found = drainRecords(session, declared).map(({ listed, only, short, none }) =>
        [listed, only, short, none].map((bytes) => Buffer.from(bytes ?? []).toString()),
      )
      assert.ok(
        found.some(([listed, only, short, none]) => {
          return (
            listed === 'a'.repeat(Math.min(fd, 60)) &&
            only === 'a'.repeat(60) &&
            short === 'aaaa' &&
            none === ''
          )
        }),
        JSON.stringify(found),
      )
    },
  )
}

interface Dentry {
  readonly d_parent: Dentry
  readonly d_inode: { readonly i_ino: Scalar }
  readonly d_sb: { readonly s_dev: Scalar }
}

for (const flavor of FLAVORS) {
  kernelTest(`${flavor}: directories are followed up to one that a map has`, '5.8', () => {
    const watched = map({
      name: 't_watched',
      type: 'hash',
      key: { dev: u32, ino: u64 },
      value: u32,
      maxEntries: 4,
    })
    const found = (dentry: Value, steps: number): Scalar =>
      walkUp<Dentry>({
        struct: 'dentry',
        from: dentry,
        next: (one) => one.d_parent,
        until: (one) => lookup(watched, { dev: one.d_sb.s_dev, ino: one.d_inode.i_ino }),
        steps,
      })
    const declared = probe(
      {
        name: 't_walk',
        hook: renameHook,
        record: record(7, 't_walk', { far: u32, near: u32, inode: u64, dev: u32 }),
      },
      (task) => {
        const dentry = task.fs.pwd.dentry
        const here = cast<Dentry>('dentry', dentry)
        return {
          when: and(isSelf(task), or(found(dentry, 32), eq(lookup(settings, 2), 1))),
          fill: {
            far: found(dentry, 16),
            near: found(dentry, 5),
            inode: here.d_inode.i_ino,
            dev: here.d_sb.s_dev,
          },
        }
      },
    )
    using session = openSession({ flavor, loop: 'bounded' })
    session.attach(declared)
    const before = process.cwd()
    const top = mkdtempSync(join(tmpdir(), 'walk-'))
    const below = join(top, ...Array.from({ length: 10 }, (_, i) => `d${i}`))
    mkdirSync(below, { recursive: true })
    const rename = (directory: string): void => {
      process.chdir(directory)
      produceRenames(1)
    }
    try {
      // The kernel writes a device in another way than stat(2): the program says how.
      session.map(settings).set(2, 1n)
      rename(top)
      const [first] = drainRecords(session, declared)
      session.map(settings).set(2, 0n)
      assert.equal(first?.inode, statSync(top, { bigint: true }).ino)
      session.map(watched).set({ dev: first?.dev ?? 0, ino: first?.inode ?? 0n }, 77)
      rename(below)
      rename(join(below, '..', '..', '..', '..', '..', '..'))
      rename(dirname(top))
    } finally {
      process.chdir(before)
      rmSync(top, { recursive: true })
    }
    assert.deepEqual(
      drainRecords(session, declared).map(({ far, near }) => [far, near]),
      [
        [77, 0],
        [77, 77],
      ],
    )
  })
}

/** Releases whose `__sk_common` a tracing program gets the cookie of. */
const COOKIES = '5.12'

kernelTest('a socket has its cookie in a tracing program', COOKIES, async () => {
  interface Sock {
    readonly __sk_common: { readonly skc_num: Scalar; readonly skc_cookie: { readonly counter: Scalar } }
  }
  const declared = probe(
    {
      name: 't_state',
      hook: tracepoint('inet_sock_set_state', [
        struct<Sock>('sock', 'sk'),
        int('oldstate', 4),
        int('newstate', 4),
      ]),
      record: record(5, 't_state', { cookie: u64, from: u32, to: u32 }),
    },
    (sk, from, to) => ({ fill: { cookie: socketCookie(sk), from, to } }),
  )
  using session = openSession({ flavor: 'direct', loop: 'bounded' })
  session.attach(declared)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = connect(port, '127.0.0.1')
  await once(client, 'connect')
  client.destroy()
  server.close()
  await once(server, 'close')
  const cookies = new Map<bigint, number>()
  for (const { cookie } of drainRecords(session, declared))
    cookies.set(cookie, (cookies.get(cookie) ?? 0) + 1)
  assert.ok(!cookies.has(0n))
  // The client's socket at least changed its state more than once.
  assert.ok(Math.max(...cookies.values()) > 1, [...cookies].join(' '))
})

kernelTest('a program not attached through BTF has no cookie, and the error names it', COOKIES, () => {
  const declared = probe(
    {
      name: 't_state',
      hook: tracepoint('inet_sock_set_state', [struct('sock', 'sk'), int('oldstate', 4), int('newstate', 4)]),
      record: record(5, 't_state', { cookie: u64 }),
    },
    (sk) => ({ fill: { cookie: socketCookie(sk) } }),
  )
  if (!FLAVORS.some((flavor) => flavor === 'probeRead')) return
  using session = openSession({ flavor: 'probeRead', loop: 'bounded' })
  assert.throws(() => session.attach(declared), { name: 'BuildError', message: /socketCookie.*"t_state"/ })
})

// A kernel that preempts tasks keeps these programs from it since 6.10.
kernelTest('bytes of a packet are a tail', kernelAtLeast('6.10') ? '5.8' : '6.10', async () => {
  const declared = probe(
    {
      name: 't_packet',
      hook: cgroupSkb('egress'),
      record: record(6, 't_packet', {
        cookie: u64,
        length: u32,
        whole: bytesTail(256),
        cut: bytesTail(5),
        none: bytesTail(16),
      }),
    },
    (skb) => ({
      fill: {
        cookie: socketCookie(),
        length: skb.len,
        whole: packetBytes(28),
        cut: packetBytes(28),
        none: packetBytes(skb.len),
      },
    }),
  )
  using session = openSession()
  session.attach(declared)
  const socket = createSocket('udp4')
  const text = `quark ${process.pid} ${Date.now()}`
  await new Promise<void>((resolve, reject) => {
    socket.send(text, 9, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)))
  })
  socket.close()
  const found = drainRecords(session, declared).filter(
    ({ whole }) => Buffer.from(whole ?? []).toString() === text,
  )
  assert.equal(found.length, 1)
  const [one] = found
  assert.ok(one !== undefined && one.cookie > 0n)
  assert.equal(one.length, 28 + text.length)
  assert.equal(Buffer.from(one.cut ?? []).toString(), text.slice(0, 5))
  assert.deepEqual(one.none, new Uint8Array())
})
