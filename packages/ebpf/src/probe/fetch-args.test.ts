import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BuildError } from '../errors.js'
import { planFetch } from './fetch-args.js'
import { eventArg } from './fetch-events.js'
import { MAX_FETCH_CHARS } from './fetch-list.js'
import {
  add,
  and,
  at,
  cast,
  cstring,
  currentTask,
  enumValue,
  eq,
  type FetchPlan,
  firstOf,
  int,
  kprobe,
  ne,
  oneOf,
  packet,
  probe,
  procConnector,
  struct,
  sub,
  tracepoint,
} from './index.js'
import { expectGolden } from './testing/golden.js'
import { smallBtf } from './testing/small-btf.js'
import type { SmallTask } from './testing/small-kernel.js'
import { record } from './record.js'
import { u32, u64, s32, chars } from './fields.js'
import {
  pathTail,
  bytesTail,
  stringTail,
  path,
  userBytes,
  kernelString,
  type EncodablePath,
} from './tails/index.js'

const target = { btf: smallBtf({ inlineNames: true }), architecture: 'x64', maxUserBytes: 1032 } as const

const everything = probe(
  {
    name: 'everything',
    hook: tracepoint('sched_process_exec', [
      struct<SmallTask>('task_struct', 'task'),
      int('old_pid', 4),
      cstring('name'),
    ]),
    record: record(1, 'everything', {
      pid: u32,
      session: u32,
      parentNice: s32,
      policy: s32,
      oldPid: s32,
      lifetime: u64,
      comm: chars(16),
      cwd: pathTail,
      argv: bytesTail(2048),
      name: stringTail(16),
    }),
  },
  (task, oldPid, name) => ({
    when: and(eq(task.pid, task.tgid), ne(task.in_execve, 1)),
    time: firstOf(task.real_start_time, task.start_boottime),
    fill: {
      pid: task.tgid,
      session: at(at(task.signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0),
      parentNice: task.group_leader.nice,
      policy: task.policy,
      oldPid,
      lifetime: sub(task.signal.utime, 1),
      comm: task.comm,
      cwd: path(task.fs.pwd, task.fs.root),
      argv: userBytes(task.arg_start, task.nice),
      name: kernelString(name),
    },
  }),
)

const entry = { function: 'a_function', parameters: [0, 2, 1] }

function textOf(plan: FetchPlan): string {
  return plan.args.map(eventArg).join('\n')
}

/** A plan's values by the text of their arguments; 0 and empty when there are none. */
function valuesOf(plan: FetchPlan, values: Readonly<Record<string, bigint | Buffer>>) {
  for (const text of Object.keys(values)) {
    assert.ok(
      plan.args.some((arg) => arg.text === text),
      `no argument is ${text}`,
    )
  }
  return {
    number: (index: number): bigint => {
      const value = values[plan.args[index]!.text] ?? 0n
      assert.equal(typeof value, 'bigint')
      return value as bigint
    },
    bytes: (index: number): Buffer => (values[plan.args[index]!.text] ?? Buffer.alloc(512)) as Buffer,
  }
}

test('a declaration becomes fetch arguments', () => {
  expectGolden('fetch-args', textOf(planFetch(everything, entry, target)))
})

test('an address is fetched from where it lies, and none is computed', () => {
  const declared = probe(
    {
      name: 'casts',
      hook: tracepoint('sched_process_exec', [struct<SmallTask>('task_struct', 'task')]),
      record: record(1, 'casts', { plain: u32, computed: u32, set: u32 }),
    },
    (task) => ({
      fill: {
        plain: cast<SmallTask>('task_struct', task.arg_start).tgid,
        computed: cast<SmallTask>('task_struct', add(task.arg_start, 8)).tgid,
        set: oneOf(task.pid, [1, 2]),
      },
    }),
  )
  const plan = planFetch(declared, { function: 'entry', parameters: [0] }, target)
  assert.deepEqual(
    plan.args.map(({ text }) => text),
    ['+4(+80(%di)):u32', '+0(%di):u32'],
  )
  assert.deepEqual(plan.missing, [
    { field: 'computed', reason: 'a fetch argument cannot compute an address' },
  ])
})

test('arm64 has other registers', () => {
  const plan = planFetch(everything, entry, { ...target, architecture: 'arm64' })
  assert.ok(plan.args.some(({ text }) => text === '+4(%x0):u32'))
  assert.ok(plan.args.every(({ text }) => !text.includes('%di')))
})

test('no argument is longer, or follows more pointers, than the kernel takes', () => {
  for (const { text, name } of planFetch(everything, entry, target).args) {
    assert.ok(text.length <= MAX_FETCH_CHARS, text)
    assert.ok(text.split('(').length - 1 <= 12, text)
    assert.match(name, /^[a-z]\w*$/)
  }
})

test('numbers are computed from what was fetched', () => {
  const plan = planFetch(everything, entry, target)
  const values = valuesOf(plan, {
    '+0(%di):u32': 7n,
    '+4(%di):u32': 7n,
    '+40(%di):u64': 123n,
    // The fifth to the eighth bit are others': the field has five.
    '+8(%di):u32': 0n,
    '+40(+48(%di)):u64': 0n,
    '+64(+16(%di)):u64': 0xffff_ffff_ffff_fffdn,
    '+24(%di):u64[2]': Buffer.from('a name\0garbage.'),
    '+0(%si):u64[2]': Buffer.from('sixteen letters!'),
  })
  const found = plan.read(values)
  assert.ok(found !== undefined)
  const { pid, parentNice, lifetime, comm, name } = found.fields
  assert.deepEqual(
    { time: found.timeNs, pid, parentNice, lifetime, comm: String(comm), name: String(name) },
    {
      time: 123n,
      pid: 7,
      parentNice: -3,
      lifetime: 0xffff_ffff_ffff_ffffn,
      comm: 'a name',
      name: 'sixteen letters!',
    },
  )
})

test('nothing is read when the condition does not hold', () => {
  const plan = planFetch(everything, entry, target)
  assert.equal(plan.read(valuesOf(plan, { '+0(%di):u32': 8n, '+4(%di):u32': 7n })), undefined)
})

test('user memory is kept as far as it goes, or as it was fetched', () => {
  const plan = planFetch(everything, entry, target)
  const pieces = {
    '+0(+80(%di)):u64[64]': Buffer.alloc(512, 'a'),
    '+512(+80(%di)):u64[64]': Buffer.alloc(512, 'b'),
    '+1024(+80(%di)):u64[1]': Buffer.alloc(8, 'c'),
  }
  const argvOf = (start: bigint, end: bigint) => {
    const found = plan.read(valuesOf(plan, { '+80(%di):u64': start, '+64(%di):u64': end, ...pieces }))
    return { length: (found?.fields['argv'] as Buffer | undefined)?.length, cut: found?.cut }
  }
  assert.deepEqual(argvOf(100n, 100n), { length: 0, cut: [] })
  assert.deepEqual(argvOf(100n, 613n), { length: 513, cut: [] })
  assert.deepEqual(argvOf(100n, 1132n), { length: 1032, cut: [] })
  assert.deepEqual(argvOf(100n, 1133n), { length: 1032, cut: ['argv'] })
  assert.deepEqual(argvOf(0n, 5n), { length: undefined, cut: [] })
  assert.deepEqual(argvOf(9n, 5n), { length: undefined, cut: [] })
})

const PWD = '+16(+56(%di))'
const PWD_MOUNT = '+8(+56(%di))'

/** The path that is read from these dentries, leaf first: address and name. */
function pathOf(chain: readonly (readonly [bigint, string])[], others: Record<string, bigint>) {
  const plan = planFetch(everything, entry, target)
  const values: Record<string, bigint | Buffer> = {}
  let text = PWD
  for (const [address, name] of chain) {
    values[`${text}:u64`] = address
    const named = `+0(+40(${text})):string`
    if (plan.args.some((arg) => arg.text === named)) values[named] = Buffer.from(`${name}\0`)
    text = `+24(${text})`
  }
  const found = plan.read(valuesOf(plan, { ...values, ...others }))
  const cwd = found?.fields['cwd'] as (EncodablePath & { path: Buffer; root?: Buffer }) | undefined
  return cwd === undefined
    ? undefined
    : { ...cwd, path: String(cwd.path), root: cwd.root === undefined ? undefined : String(cwd.root) }
}

const MOUNT = 0x1000n
/** The process's root is the root of the mount, which is on top of all. */
const plain = {
  [`${PWD_MOUNT}:u64`]: MOUNT + 32n,
  '+32(+56(%di)):u64': 9n,
  '+24(+56(%di)):u64': MOUNT + 32n,
  [`+8(${PWD_MOUNT}):u64`]: 9n,
  [`-24(${PWD_MOUNT}):u64`]: MOUNT,
  [`+16(${PWD}):u64`]: 1n,
}

test('a path is walked from the leaf to the root', () => {
  const chain = [
    [1n, 'leaf'],
    [2n, 'branch'],
    [9n, '/'],
  ] as const
  assert.deepEqual(pathOf(chain, plain), {
    path: '/branch/leaf',
    root: '/',
    truncated: false,
    deleted: false,
  })
  assert.equal(pathOf([[9n, '/']], plain)?.path, '/')
})

test('an unlinked file is marked as deleted', () => {
  const chain = [
    [1n, 'leaf'],
    [9n, '/'],
  ] as const
  assert.equal(pathOf(chain, { ...plain, [`+16(${PWD}):u64`]: 0n })?.deleted, true)
})

test('a file that is its own parent has a name only', () => {
  const chain = [
    [1n, 'memfd:x'],
    [1n, 'memfd:x'],
  ] as const
  assert.deepEqual(pathOf(chain, plain), { path: 'memfd:x', root: undefined, truncated: false })
})

test('what lies above the root of the process is the path of that', () => {
  const chain = [
    [1n, 'leaf'],
    [2n, 'jail'],
    [3n, 'srv'],
    [9n, '/'],
  ] as const
  const found = pathOf(chain, { ...plain, '+32(+56(%di)):u64': 2n })
  assert.deepEqual(found, { path: '/leaf', root: '/srv/jail', truncated: false, deleted: false })
})

test('a path deeper than the arguments is marked as cut, and has no root', () => {
  const chain = Array.from({ length: 12 }, (_, index) => [BigInt(index + 100), `d${index}`] as const)
  const plan = planFetch(everything, entry, target)
  const reachable = chain.filter((_, index) => {
    const text = Array.from({ length: index }).reduce<string>((inner) => `+24(${inner})`, PWD)
    return plan.args.some((arg) => arg.text === `${text}:u64`)
  })
  const found = pathOf(reachable, plain)
  assert.equal(found?.truncated, true)
  assert.equal(found?.root, undefined)
  assert.match(found.path, /\/d2\/d1\/d0$/)
})

test('a mount is crossed at the place where it is mounted', () => {
  const MOUNT_POINT = `-16(${PWD_MOUNT})`
  const PARENT = `-24(${PWD_MOUNT})`
  const found = pathOf(
    [
      [1n, 'leaf'],
      [5n, '/'],
    ],
    {
      ...plain,
      [`+8(${PWD_MOUNT}):u64`]: 5n,
      [`${PARENT}:u64`]: 0x2000n,
      '+24(+56(%di)):u64': 0x2000n + 32n,
      [`+40(${PARENT}):u64`]: 9n,
      [`${MOUNT_POINT}:u64`]: 7n,
      [`+24(${MOUNT_POINT}):u64`]: 9n,
      [`+8(${PARENT}):u64`]: 0x2000n,
    },
  )
  // The name of the mount point was not given.
  assert.deepEqual(found, { path: '//leaf', root: '/', truncated: false, deleted: false })
})

test('there is no path without a dentry', () => {
  assert.equal(pathOf([[0n, '']], plain), undefined)
})

test('aliases, the current task and packets are what the function has instead', () => {
  const ids = probe(
    { name: 'ids', hook: procConnector(4), record: record(2, 'ids', { what: u32, pid: u32 }) },
    () => ({
      when: ne(and(packet(36, 4), 4), 0),
      fill: { what: packet(36, 4), pid: currentTask<SmallTask>().tgid },
    }),
  )
  const packetOf = (packet: Record<number, { parameter: number } | { constant: number }>): string =>
    textOf(planFetch(ids, { function: 'f', parameters: [], currentTask: 0, packet }, target))
  assert.equal(packetOf({ 36: { parameter: 1 } }), 'a0=%si:u32\na1=+4(%di):u32')
  assert.equal(packetOf({ 36: { constant: 4 } }), 'a0=+4(%di):u32')
  assert.throws(() => packetOf({}), BuildError)

  const leader = probe(
    {
      name: 'leader',
      hook: kprobe('g', [struct<SmallTask>('task_struct', 'task')]),
      record: record(3, 'leader', { pid: u32 }),
    },
    (task) => ({ fill: { pid: task.group_leader.pid } }),
  )
  const alias = { function: 'g', parameters: [0], aliases: { 'task.group_leader': 'task.signal' } }
  const plan = planFetch(leader, alias, target)
  assert.deepEqual(plan.args, [])
  assert.deepEqual(plan.missing, [{ field: 'pid', reason: 'no struct signal_struct.pid' }])
})

test('an argument that the function lacks is a missing field, or an error in a condition', () => {
  const without = { function: 'h', parameters: [undefined, 0, undefined] }
  assert.throws(() => planFetch(everything, without, target), /condition.*everything.*h: no argument task/)
})
