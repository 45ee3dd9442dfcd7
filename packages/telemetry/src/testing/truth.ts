/**
 * What is known of the processes of a scenario from the processes themselves, and how it is compared with
 * events.
 */

import { isDeepStrictEqual } from 'node:util'
import { Clock } from '../pipeline/clock.js'
import type { QuarkEvent } from '../kinds/index.js'
import type { ProcessAction, ProcessEvent } from '../kinds/process/events.js'
import type { Ids, Process } from '../process/process.js'

/**
 * True facts of one process. Absent facts are not compared. Strings that came from the kernel hold one byte per
 * character.
 */
export interface Truth extends Partial<Ids> {
  readonly step: string
  readonly pid: number
  /** Field 22 of /proc/pid/stat. */
  readonly startTicks?: number
  readonly ppid?: number
  readonly pgid?: number
  readonly comm?: string
  readonly exe?: string
  readonly exeDeleted?: boolean
  readonly cwd?: string
  readonly root?: string
  readonly argv?: readonly string[]
  readonly env?: readonly string[]
  readonly capPermitted?: string
  readonly capEffective?: string
  readonly capBounding?: string
  readonly exitCode?: number
  readonly exitSignal?: number
  readonly coreDumped?: boolean
  /** How often it executed a program. Default 1. */
  readonly execs?: number
  /** How often it renamed itself. */
  readonly commChanges?: number
  /** Its ids before it changed them, and which it changed. */
  readonly idChange?: { readonly changed: readonly string[]; readonly from: Partial<Ids> }
}

/** All that was seen of one process. */
export interface SeenProcess {
  readonly pid: number
  readonly startTimeNs: bigint | undefined
  readonly events: ProcessEvent[]
}

/** Limits of what the queue can report. */
export interface Limits {
  /** It was opened with this. */
  readonly maxArgvBytes: number
  /** How well its backend knows when a process began. Default two ticks: those of /proc are cut. */
  readonly startPrecisionNs?: number
}

const TICK_NS = 10_000_000
/** Read as closely as can be: on a busy machine, two clocks that are read one after the other are ticks apart. */
const CLOCK = Clock.system()

/** Parses the truths, and merges those of one process: several steps may each know a part. */
export function parseTruths(lines: string): Truth[] {
  const truths = new Map<string, Truth>()
  for (const line of lines.split('\n').filter((line) => line !== '')) {
    const truth = JSON.parse(line) as Truth
    const key = `${truth.step} ${truth.pid}`
    truths.set(key, { ...truths.get(key), ...truth })
  }
  return [...truths.values()]
}

/** Sorts process events by process: pid and start time. */
export function byProcess(events: readonly QuarkEvent[]): SeenProcess[] {
  const seen = new Map<string, SeenProcess>()
  for (const event of events) {
    if (event.kind !== 'process') {
      continue
    }
    const { pid, startTimeNs } = event.process
    const key = `${pid} ${startTimeNs}`
    const process = seen.get(key) ?? { pid, startTimeNs, events: [] }
    process.events.push(event)
    seen.set(key, process)
  }
  return [...seen.values()]
}

/** The last state of a process. */
export function lastOf(seen: SeenProcess): Process {
  return seen.events.at(-1)!.process
}

/** All actions of a process: events in order of time, and the actions of each in the order it lists them. */
export function actionsOf(seen: SeenProcess): ProcessAction[] {
  return seen.events.flatMap(({ actions }) => actions)
}

/** Processes whose parents lead to `pid`, and itself; `seen` must be in order of time. */
export function descendants(seen: readonly SeenProcess[], pid: number): SeenProcess[] {
  const found = new Set([pid])
  return seen.filter((process) => {
    const parent = process.events[0]!.process.ppid
    if (process.pid !== pid && (parent === undefined || !found.has(parent))) {
      return false
    }
    found.add(process.pid)
    return true
  })
}

/** Errors in the life of a process that began and ended while events were collected. */
export function lifeComplaints(seen: SeenProcess): string[] {
  const actions = actionsOf(seen)
  const once = (action: ProcessAction): boolean => actions.filter((one) => one === action).length === 1
  const times = seen.events.map(({ timeNs }) => timeNs)
  const complaints: string[] = []
  // An event lists its actions in a fixed order, not in that of time.
  if (!once('fork') || seen.events[0]?.actions.includes('fork') !== true) {
    complaints.push('does not begin with its only fork')
  }
  if (!once('exit') || seen.events.at(-1)?.actions.includes('exit') !== true) {
    complaints.push('does not end with its only exit')
  }
  if (times.some((time, index) => index > 0 && time < times[index - 1]!)) {
    complaints.push('has events out of order')
  }
  return complaints.map((complaint) => `pid ${seen.pid} ${complaint}: ${actions.join()}`)
}

/** Differences between events and truths: one sentence each. */
export function complaints(truths: readonly Truth[], seen: readonly SeenProcess[], limits: Limits): string[] {
  return truths.flatMap((truth) => {
    const candidates = candidatesFor(truth, seen, limits)
    if (candidates.length !== 1) {
      return [
        `${truth.step}: pid ${truth.pid} appears as ${candidates.length} processes${startsOf(truth, seen)}`,
      ]
    }
    const found = [
      ...lifeComplaints(candidates[0]!),
      ...countComplaints(candidates[0]!, truth),
      ...fieldComplaints(lastOf(candidates[0]!), truth),
      ...argvComplaints(lastOf(candidates[0]!), truth, limits),
      ...idComplaints(candidates[0]!, truth),
    ]
    return found.map((complaint) => `${truth.step} (pid ${truth.pid}): ${complaint}`)
  })
}

/** Pids are reused: several processes with one pid are distinguished by their parents. */
function candidatesFor(truth: Truth, seen: readonly SeenProcess[], limits: Limits): SeenProcess[] {
  const all = seen.filter((process) => process.pid === truth.pid && startsAt(process, truth, limits))
  return all.length > 1 ? all.filter((process) => lastOf(process).ppid === truth.ppid) : all
}

/** When the processes with the pid began, as seen and in truth. */
function startsOf({ pid, startTicks }: Truth, seen: readonly SeenProcess[]): string {
  const starts = seen.filter((process) => process.pid === pid).map(({ startTimeNs }) => `${startTimeNs}`)
  const inTruth = startTicks === undefined ? 'unknown' : CLOCK.epochNs(startTicks * TICK_NS)
  return ` (all that had it began at ${starts.join()}, and in truth ${inTruth})`
}

/** Compares start times if the truth has one, as it has for reused pids. */
function startsAt(
  process: SeenProcess,
  { startTicks }: Truth,
  { startPrecisionNs = 2 * TICK_NS }: Limits,
): boolean {
  if (startTicks === undefined) {
    return true
  }
  const trueNs = CLOCK.epochNs(startTicks * TICK_NS)
  return Math.abs(Number((process.startTimeNs ?? 0n) - trueNs)) <= startPrecisionNs
}

function countComplaints(seen: SeenProcess, truth: Truth): string[] {
  const actions = actionsOf(seen)
  const rows: [ProcessAction, number | undefined][] = [
    ['exec', truth.execs ?? 1],
    ['commChange', truth.commChanges],
  ]
  return rows.flatMap(([action, expected]) => {
    const count = actions.filter((one) => one === action).length
    return expected === undefined || count === expected
      ? []
      : [`${action} appears ${count} times, and happened ${expected} times`]
  })
}

/** Bytes as quark shows them. */
function text(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function fieldComplaints(process: Process, truth: Truth): string[] {
  const complaints: string[] = []
  const compare = (field: keyof Process, expected: unknown): void => {
    if (expected !== undefined && !isDeepStrictEqual(process[field], expected)) {
      complaints.push(`${field} is ${show(process[field])}, and in truth ${show(expected)}`)
    }
  }
  const numbers = ['ppid', 'pgid', 'sid', 'uid', 'euid', 'suid', 'gid', 'egid', 'sgid'] as const
  for (const field of numbers) {
    compare(field, truth[field])
  }
  for (const field of ['comm', 'exe', 'cwd', 'root'] as const) {
    compare(field, truth[field] === undefined ? undefined : text(truth[field]))
  }
  for (const field of ['capPermitted', 'capEffective', 'capBounding'] as const) {
    compare(field, truth[field] === undefined ? undefined : BigInt(`0x${truth[field]}`))
  }
  compare('env', truth.env?.map(text))
  compare('exeDeleted', truth.exeDeleted)
  if (truth.exitCode !== undefined || truth.exitSignal !== undefined) {
    if (process.exitCode !== truth.exitCode || process.exitSignal !== truth.exitSignal) {
      complaints.push(
        `ended with ${process.exitCode} or signal ${process.exitSignal}, and in truth with ` +
          `${truth.exitCode} or signal ${truth.exitSignal}`,
      )
    }
    compare('coreDumped', truth.coreDumped ?? false)
  }
  return complaints
}

function argvComplaints(process: Process, { argv }: Truth, { maxArgvBytes }: Limits): string[] {
  if (argv === undefined) {
    return []
  }
  const expected = Buffer.from(argv.map((argument) => `${argument}\0`).join(''), 'latin1')
  const bytes = process.argvBytes ?? new Uint8Array(0)
  const truncated = expected.length > maxArgvBytes
  const kept = truncated ? maxArgvBytes : expected.length
  const complaints: string[] = []
  if (!expected.subarray(0, kept).equals(bytes)) {
    complaints.push(
      `argv has ${bytes.length} bytes ${show(process.argv)}, and in truth ${kept} ${show(argv)}`,
    )
  }
  if (!truncated && !isDeepStrictEqual(process.argv, argv.map(text))) {
    complaints.push(`argv is ${show(process.argv)}, and in truth ${show(argv)}`)
  }
  if (process.argvTruncated !== truncated || process.argvSizeBytes !== expected.length) {
    complaints.push(
      `argv is ${process.argvTruncated ? 'cut' : 'whole'} of ${process.argvSizeBytes} bytes, and in truth ` +
        `${truncated ? 'cut' : 'whole'} of ${expected.length}`,
    )
  }
  return complaints
}

/** Ids change from the known ones to those that the process had at its end. */
function idComplaints(seen: SeenProcess, { idChange, ...truth }: Truth): string[] {
  const changes = seen.events.flatMap((event) => event.idChange ?? [])
  if (idChange === undefined) {
    return changes.length === 0 ? [] : [`${changes.length} id changes appear, and none happened`]
  }
  const changed = new Set(changes.flatMap((change) => change.changed))
  const complaints: string[] = []
  if (!isDeepStrictEqual([...changed].sort(), [...idChange.changed].sort())) {
    complaints.push(`changed ${[...changed].join()}, and in truth ${idChange.changed.join()}`)
  }
  const first = changes[0]?.from
  for (const [id, value] of Object.entries(idChange.from) as [keyof Ids, number][]) {
    if (first?.[id] !== value) {
      complaints.push(`${id} was ${first?.[id]} before, and in truth ${value}`)
    }
    const after = changes.at(-1)?.to[id]
    if (truth[id] !== undefined && after !== truth[id]) {
      complaints.push(`${id} became ${after}, and in truth ${truth[id]}`)
    }
  }
  return complaints
}

function show(value: unknown): string {
  const shown = typeof value === 'bigint' ? `0x${value.toString(16)}` : (JSON.stringify(value) ?? 'undefined')
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}
