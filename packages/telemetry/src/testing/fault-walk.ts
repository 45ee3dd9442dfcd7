/**
 * Opens, uses and closes queues of one backend, in each of which one system call fails, and writes what came of each
 * to its standard output, as lines of JSON. A process of its own: it may hang or crash.
 *
 *   node fault-walk.js '{"backend":"ebpf","part":"all"}'
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import * as faults from './faults.js'
import { sampleOf } from './sample-of.js'
import { AuditControl, Fd, kernelBtf, MappedMemory } from 'quark-ebpf'
import type { QuarkEvent } from '../kinds/index.js'
import type { BackendName } from '../options/declare.js'
import { Quark } from '../quark.js'

/** What to walk through. */
export interface WalkOrder {
  readonly backend: BackendName
  /**
   * `count`: one good queue. `first`: a call of the first queue of this process fails, in which the kernel's features
   * are found out. `usual`: calls of later queues fail, at most `most` of each kind and phase. `transient`: the same with
   * calls that only have to be made again. The last queue of all but `count` is a good one.
   */
  readonly part: 'count' | 'first' | 'usual' | 'transient'
  /** The call of `first`. */
  readonly call?: faults.Call
  /** Facts that are missing in a good queue. */
  readonly missing?: readonly string[]
  readonly most?: number
}

/** What came of a queue. */
export interface WalkLine {
  /** The call that was to fail; undefined in a good queue. */
  readonly call?: faults.Call
  /** Whether it was made. */
  readonly isReached: boolean
  /** In `count`, all calls. */
  readonly calls?: readonly faults.Call[]
  /** Of the error that ended it. */
  readonly code?: string | undefined
  readonly message?: string | undefined
  /** Facts that are missing, beyond those of a good queue. */
  readonly missing: readonly string[]
  readonly lost: number
  /** Whether the child process was seen whole. */
  readonly isWhole: boolean
  /** What is left in the process and the kernel. */
  readonly left: readonly string[]
}

const order = JSON.parse(process.argv[2] ?? '{}') as WalkOrder

/** Longest time in which the end of the child must be delivered, on a machine that is loaded. */
const LIMIT_MS = 60_000
/** So large that others who use the machine do not fill it. */
const RING_BYTES = 16 << 20
const KPROBE_EVENTS = '/sys/kernel/tracing/kprobe_events'

/** What queues leave behind if they do not clean up. */
function held(): Map<string, number> {
  const counts = new Map<string, number>()
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      count(`descriptor of ${readlinkSync(`/proc/self/fd/${fd}`).replace(/\d{2,}/, 'N')}`)
    } catch {
      // That of the list itself.
    }
  }
  for (const line of readFileSync('/proc/self/maps', 'latin1').trim().split('\n')) {
    const path = line.split(/\s+/).slice(5).join(' ')
    // Memory of the engine grows and shrinks; what is mapped through a descriptor has a name.
    if (path !== '' && path !== '[heap]' && !path.startsWith('[anon')) count(`mapping of ${path}`)
  }
  const events = existsSync(KPROBE_EVENTS) ? readFileSync(KPROBE_EVENTS, 'latin1') : ''
  for (const line of events.split('\n')) if (line.includes(':quark/')) count('kprobe event')
  if (order.backend === 'audit') {
    using control = new AuditControl()
    const { enabled, backlogLimit } = control.status()
    count(`audit, which is ${enabled}, ${backlogLimit}`)
    for (const rule of control.rules()) count(`audit rule ${rule.key ?? ''}`.replace(/:\d+$/, ''))
  }
  counts.set('Fd', Fd.openCount())
  counts.set('MappedMemory', MappedMemory.openCount())
  counts.set('listeners of exit', process.listenerCount('exit'))
  return counts
}

function leftSince(before: ReadonlyMap<string, number>): string[] {
  const now = held()
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((what) => {
    const more = (now.get(what) ?? 0) - (before.get(what) ?? 0)
    return more === 0 ? [] : [`${more} ${what}`]
  })
}

/** What a queue delivered and said. */
interface Life {
  missing: string[]
  lost: number
  /** Of the child. */
  readonly actions: Set<string>
}

const WHOLE = ['fork', 'exec', 'exit']

/** Adds what events say. */
function read(life: Life, pid: number, events: readonly QuarkEvent[]): void {
  for (const event of events) {
    if (event.kind === 'lost') life.lost += event.count
    if (event.kind === 'process' && event.process.pid === pid) {
      for (const action of event.actions) life.actions.add(action)
    }
  }
}

async function live(life: Life): Promise<void> {
  faults.enter('open')
  const quark = await Quark.open({ backends: [order.backend], holdMs: 50, ringSizeBytes: RING_BYTES })
  try {
    life.missing = quark.capabilities.missing.map(({ fact }) => fact)
    faults.enter('run')
    quark.pollFd()
    // After some empty polls, a wait ends at the next record.
    for (let i = 0; i < 6; i += 1) quark.poll()
    const waiting = quark.wait(LIMIT_MS)
    const { pid } = spawnSync('/bin/true')
    await waiting
    const endMs = performance.now() + LIMIT_MS
    while (!life.actions.has('exit') && life.lost === 0 && performance.now() < endMs) {
      read(life, pid, quark.poll())
      await quark.wait(100)
    }
    quark.stats()
    faults.enter('finish')
    read(life, pid, quark.finish())
    life.lost = Math.max(life.lost, quark.stats().lost)
  } finally {
    faults.enter('close')
    await quark.close()
  }
}

/** The facts that are missing in a good queue. */
let usuallyMissing: readonly string[] = []
let before: ReadonlyMap<string, number>

/** Lives through one queue; what is closed at the end of a turn of the event loop is closed afterwards. */
async function lifeWith(
  fault?: faults.Fault,
): Promise<Life & ReturnType<typeof faults.end> & { error: unknown }> {
  const life: Life = { missing: [], lost: 0, actions: new Set() }
  let error: unknown
  faults.plan(fault)
  try {
    await live(life)
  } catch (caught) {
    error = caught
  }
  const ended = faults.end()
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return { ...life, ...ended, error }
}

async function run(fault?: faults.Fault): Promise<void> {
  const { calls, failed, error, missing, lost, actions } = await lifeWith(fault)
  const { code, message } = (error ?? {}) as { code?: string; message?: string }
  const line: WalkLine = {
    ...(fault === undefined ? {} : { call: fault }),
    isReached: failed > 0,
    ...(order.part === 'count' ? { calls } : {}),
    ...(error === undefined ? {} : { code, message: message ?? String(error) }),
    missing: missing.filter((fact) => !usuallyMissing.includes(fact)),
    lost,
    isWhole: WHOLE.every((action) => actions.has(action)),
    left: leftSince(before),
  }
  writeSync(1, `${JSON.stringify(line)}\n`)
  // Once for each: what comes later is of another call.
  if (line.left.length > 0) before = held()
}

/** A good queue, from which on nothing may be left. */
async function warmUp(): Promise<readonly faults.Call[]> {
  const { calls, missing, error } = await lifeWith()
  if (error !== undefined) throw error
  usuallyMissing = missing
  before = held()
  return calls
}

spawnSync('/bin/true')
try {
  // It stays mapped for as long as the process lives.
  kernelBtf()
} catch {
  // This kernel has none.
}
before = held()
if (order.part === 'count') {
  await run()
} else if (order.part === 'first') {
  usuallyMissing = order.missing ?? []
  const { call } = order
  if (call !== undefined) await run({ ...call, errno: faults.usualErrno(call.kind) })
  await run()
} else {
  await warmUp()
  const calls = await warmUp()
  const errnoOf = order.part === 'usual' ? faults.usualErrno : faults.transientErrno
  const candidates = calls.flatMap((call) => {
    const errno = errnoOf(call.kind)
    return errno === 0 ? [] : [{ ...call, errno }]
  })
  const sample = new Set(sampleOf(candidates, order.most ?? candidates.length))
  // Several maps are made one after the other: each may leave those before it.
  for (const fault of candidates)
    if (sample.has(fault) || (order.part === 'usual' && fault.kind === 'bpf(BPF_MAP_CREATE)'))
      await run(fault)
  await run()
}
