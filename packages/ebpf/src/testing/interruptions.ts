/** Programs that interrupt each other, and the records that show whether that harmed them. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import {
  bytesTail,
  constant,
  currentTask,
  decodeRecord,
  eq,
  HEADER_CPU,
  HEADER_SEQ,
  HEADER_TYPE,
  int,
  inTask,
  pointer,
  type Probe,
  probe,
  record,
  type RecordLayout,
  struct,
  tracepoint,
  u32,
  u64,
  userBytes,
} from '../probe/index.js'
import { possibleCpuCount } from '../map/map.js'
import type { RecordSink } from '../ring/cursor.js'
import { Fd } from '../sys/fd.js'
import { perfEventOpen } from '../sys/libc.js'
import { checked } from '../sys/permission.js'
import type { Task } from './process-probes.js'

const START_MS = 30_000
const PERF_TYPE_SOFTWARE = 1
const PERF_ATTR_BYTES = 64
const PERF_FLAG_FD_CLOEXEC = 8

/** Interrupts a CPU by a timer every `periodUs`, until it is closed: with cpu-clock events, which every machine has. */
export function interruptCpu(cpu: number, periodUs: number): Fd {
  const attr = Buffer.alloc(PERF_ATTR_BYTES)
  attr.writeUInt32LE(PERF_TYPE_SOFTWARE, 0)
  attr.writeUInt32LE(PERF_ATTR_BYTES, 4)
  attr.writeBigUInt64LE(BigInt(periodUs) * 1000n, 16)
  const fd = perfEventOpen(attr, -1, cpu, PERF_FLAG_FD_CLOEXEC)
  return new Fd(checked('Cannot interrupt a CPU', 'perf_event_open', fd), 'cpu-clock event')
}

/** Record types, each of another kind. */
export const TASK = 0x0101
export const SOFTIRQ = 0x0202
export const HARDIRQ = 0x0303
export const FREE = 0x0404
/** What a record of each type has at its beginning and at its end. */
const MARKS = new Map([
  [TASK, 0x7a7a_0001],
  [SOFTIRQ, 0x5050_0002],
  [HARDIRQ, 0x1d1d_0003],
  [FREE, 0x3e3e_0004],
])

function markOf(type: number): ReturnType<typeof constant> {
  return constant(MARKS.get(type) ?? 0)
}

/** An argument of the process that makes system calls, so long that a record takes a while. */
const LONG_ARGUMENT = 'task '.repeat(600)
export const SYSTEM_CALLS = 'const { getuid } = process; for (;;) getuid()'
/** System calls after which memory is given back, by the task and later by a softirq (RCU). */
export const OPENS =
  "const { openSync, closeSync } = require('node:fs'); for (;;) closeSync(openSync('/proc/self/stat'))"

/** A process that does nothing but system calls, on one CPU. */
export async function startCaller(cpu: number, script: string): Promise<ChildProcess> {
  const call = [process.execPath, '-e', script, LONG_ARGUMENT]
  const caller = spawn('taskset', ['-c', String(cpu), ...call], { stdio: 'ignore' })
  await once(caller, 'spawn')
  // taskset has arguments of its own until it executes the other program.
  const end = performance.now() + START_MS
  while (!readFileSync(`/proc/${caller.pid}/cmdline`, 'latin1').startsWith(process.execPath)) {
    if (performance.now() > end) throw new Error('taskset does not execute the program')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return caller
}

const callRecord = record(TASK, 'call', {
  mark: u32,
  pid: u32,
  call: u64,
  argv: bytesTail(4096),
  end: u32,
})

/** A record for each system call of a process, with its arguments. */
export function callProbe(pid: number) {
  const hook = tracepoint('sys_enter', [struct('pt_regs', 'regs'), int('id', 8)])
  return probe({ name: 'i_task', hook: inTask(hook), record: callRecord }, (_regs, id) => {
    const { tgid, mm } = currentTask<Task>()
    return {
      when: eq(tgid, pid),
      fill: {
        mark: markOf(TASK),
        pid: tgid,
        call: id,
        argv: userBytes(mm.arg_start, mm.arg_end, 4096),
        end: markOf(TASK),
      },
    }
  })
}

/** A record for each softirq, which may interrupt a task. */
export const softirqProbe = probe(
  {
    name: 'i_softirq',
    hook: tracepoint('softirq_entry', [int('vec_nr', 4)]),
    record: record(SOFTIRQ, 'softirq', { mark: u32, vector: u32, end: u32 }),
  },
  (vector) => ({ fill: { mark: markOf(SOFTIRQ), vector, end: markOf(SOFTIRQ) } }),
)

/** A record for each timer that ends, which may interrupt a task and a softirq. */
export const hardirqProbe = probe(
  {
    name: 'i_hardirq',
    hook: tracepoint('hrtimer_expire_entry', [struct('hrtimer', 'timer')]),
    record: record(HARDIRQ, 'hardirq', { mark: u32, padding: u64, end: u32 }),
  },
  () => ({ fill: { mark: markOf(HARDIRQ), padding: markOf(HARDIRQ), end: markOf(HARDIRQ) } }),
)

/** A record, which takes a while, for memory that is given back, by a task or a softirq that interrupts it. */
export const freeProbe = probe(
  {
    name: 'i_free',
    hook: tracepoint('kmem_cache_free', [int('call_site', 8), pointer('object'), pointer('cache')]),
    record: record(FREE, 'free', { mark: u32, site: u64, argv: bytesTail(4096), end: u32 }),
  },
  (site) => {
    const { mm } = currentTask<Task>()
    const argv = userBytes(mm.arg_start, mm.arg_end, 4096)
    return { fill: { mark: markOf(FREE), site, argv, end: markOf(FREE) } }
  },
)

/** What the records of a session show. */
export class Evidence implements RecordSink {
  readonly drained = new Map<number, number>()
  /** Records by level, and those of each type. */
  readonly levels: number[] = []
  readonly #byLevel = new Map<number, number[]>()
  /** What is wrong with records, the first few. */
  readonly bad: string[] = []
  /** Records that are missing before others of their lane, and records that come after a later one. */
  missing = 0
  disordered = 0
  readonly #layouts: ReadonlyMap<number, RecordLayout>
  readonly #sequences = new Map<number, number>()
  readonly #argv: Buffer | undefined

  /** @param argv what `callProbe` must find */
  constructor(probes: readonly Probe[], argv?: readonly string[]) {
    this.#layouts = new Map(
      probes.flatMap(({ record: layout }) => (layout === undefined ? [] : [[layout.type, layout]])),
    )
    this.#argv = argv === undefined ? undefined : Buffer.from([...argv, ''].join('\0'))
  }

  record(_words: Uint32Array, bytes: Buffer, offset: number, length: number): void {
    const taken = bytes.subarray(offset, offset + length)
    const type = length < 16 ? 0 : taken.readUInt16LE(HEADER_TYPE)
    this.drained.set(type, (this.drained.get(type) ?? 0) + 1)
    const wrong = this.#wrongIn(taken, type)
    if (wrong !== undefined) {
      this.bad.push(`type ${type}, ${length} bytes: ${wrong}`)
      return
    }
    const lane = taken.readUInt16LE(HEADER_CPU)
    const seq = taken.readUInt32LE(HEADER_SEQ)
    const last = this.#sequences.get(lane) ?? 0
    if (seq <= last) this.disordered += 1
    else this.missing += seq - last - 1
    this.#sequences.set(lane, seq)
    const level = Math.floor(lane / possibleCpuCount())
    this.levels[level] = (this.levels[level] ?? 0) + 1
    const own = this.byLevel(type)
    own[level] = (own[level] ?? 0) + 1
    this.#byLevel.set(type, own)
  }

  /** Records of a type by level. */
  byLevel(type: number): number[] {
    return this.#byLevel.get(type) ?? []
  }

  #wrongIn(bytes: Buffer, type: number): string | undefined {
    const layout = this.#layouts.get(type)
    if (layout === undefined) return 'no such type'
    const mark = MARKS.get(type)
    if (bytes.length < layout.fixedSizeBytes) return 'too short'
    const fields = decodeRecord(layout, bytes) as unknown as Readonly<Record<string, unknown>>
    if (fields['mark'] !== mark || fields['end'] !== mark) return `marks ${fields['mark']}, ${fields['end']}`
    if (type === FREE) return undefined
    if (type !== TASK) return bytes.length === layout.fixedSizeBytes ? undefined : 'too long'
    const argv = fields['argv'] as Uint8Array | undefined
    return argv !== undefined && this.#argv?.equals(argv) !== false ? undefined : 'other arguments'
  }
}

/** The argv of what `startCaller` starts with `SYSTEM_CALLS`. */
export const CALLER_ARGV = [process.execPath, '-e', SYSTEM_CALLS, LONG_ARGUMENT]

/** The CPU that a test can keep busy beside itself. */
export const BUSY_CPU = availableParallelism() - 1
