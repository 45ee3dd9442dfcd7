import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { QuarkEvent } from '../kinds/index.js'
import type { ProcessAction } from '../kinds/process/events.js'
import {
  crowdProgram,
  type Ended,
  exitingProgram,
  forkingProgram,
  parseEnded,
  spawningProgram,
} from './elf.js'
import type { QuarkStats } from '../pipeline/stats.js'
import type { EventSource } from './scenario.js'
import { writeProgram } from './scenario.js'

/** Exit status of the processes of a storm. */
export const STORM_STATUS = 7

/** Sorts of storms: forks only, programs, scripts, and processes that all live at once. */
export type StormSort = 'fork' | 'exec' | 'script' | 'crowd'

/** A storm that is under way. */
export interface Storm {
  readonly sort: StormSort
  /** The process that makes the others; it is not counted among them. */
  readonly pid: number
  /** Every process that it made, when it has ended. */
  readonly ended: Promise<Ended[]>
}

let storms = 0

/**
 * Starts a process that makes `count` others as fast as it can.
 *
 * @throws {Error} through `ended`, when it failed to make one
 */
export function startStorm(directory: string, sort: StormSort, count: number): Storm {
  // Each storm has its own files: one that is being executed cannot be written.
  const own = join(directory, `${sort}-${(storms += 1)}`)
  mkdirSync(own)
  const end = writeProgram(own, 'end', exitingProgram(STORM_STATUS))
  const script = writeProgram(own, 'script', `#!${end}\n`)
  const programs = {
    fork: () => forkingProgram({ count }, { status: STORM_STATUS }),
    exec: () => spawningProgram({ count }, [end, 'argument']),
    script: () => spawningProgram({ count }, [script, 'argument']),
    crowd: () => crowdProgram({ count }, STORM_STATUS),
  }
  return startReporting(own, sort, programs[sort](), count)
}

/** Starts a program that reports `count` processes, in a directory of its own; standard input is empty. */
export function startReporting(
  directory: string,
  sort: StormSort,
  program: Uint8Array,
  count: number,
): Storm {
  const report = join(directory, 'report')
  const output = openSync(report, 'w')
  const child = spawn(writeProgram(directory, 'storm', program), {
    stdio: ['ignore', output, 'inherit'],
    env: {},
  })
  closeSync(output)
  const ended = once(child, 'close').then(() => {
    const made = parseEnded(readFileSync(report))
    if (made.length !== count || made.some(({ pid }) => pid <= 0)) {
      throw new Error(`Cannot make ${count} processes: ${made.filter(({ pid }) => pid > 0).length} were made`)
    }
    return made
  })
  return { sort, pid: child.pid!, ended }
}

/** Tallies the delivered events of a storm's processes. Memory grows with processes, not with events. */
export class StormTally {
  readonly actions = new Map<ProcessAction, number>()
  /** Pids, one per exit. */
  readonly pids: number[] = []
  readonly #storms: Set<number>
  /** Actions seen of each process that has not ended, by pid and start time. */
  readonly #open = new Map<string, ProcessAction[]>()
  /** Lives that were seen, such as `fork,exec,exit`, and how often. */
  readonly lives = new Map<string, number>()

  constructor(storms: readonly Storm[]) {
    this.#storms = new Set(storms.map(({ pid }) => pid))
  }

  add(event: QuarkEvent): void {
    if (event.kind !== 'process' || !this.#storms.has(event.process.ppid ?? 0)) {
      return
    }
    const { pid, startTimeNs, exitCode, exitSignal } = event.process
    const key = `${pid} ${startTimeNs}`
    const life = [...(this.#open.get(key) ?? []), ...event.actions]
    for (const action of event.actions) {
      this.actions.set(action, (this.actions.get(action) ?? 0) + 1)
    }
    if (event.actions.includes('exit')) {
      const named = `${life.join()} ${exitCode ?? `signal ${exitSignal}`}`
      this.lives.set(named, (this.lives.get(named) ?? 0) + 1)
      this.pids.push(pid)
      this.#open.delete(key)
    } else {
      this.#open.set(key, life)
    }
  }

  /** Processes that were seen, and not ending. */
  get open(): number {
    return this.#open.size
  }
}

/** Name of the process that marks the end of a storm. */
const MARKER = 'quark-marker'

/**
 * Gives all events to `take` until the storms and, after them, a process that was started here have ended.
 *
 * @throws {Error} when a storm failed
 */
export async function deliverStorms(
  source: EventSource,
  { directory, storms }: { directory: string; storms: readonly Storm[] },
  take: (event: QuarkEvent) => void,
): Promise<Ended[]> {
  const marker = writeProgram(directory, MARKER, exitingProgram(0))
  const made = Promise.all(storms.map(({ ended }) => ended))
  // Closing ends the loop below when there will be no marker.
  const marked = made.then(
    () => spawn(marker, { stdio: 'ignore' }),
    () => source.close(),
  )
  for await (const batch of source.batches()) {
    for (const event of batch) {
      take(event)
    }
    if (batch.some(isMarker)) {
      break
    }
  }
  await marked
  return (await made).flat()
}

function isMarker(event: QuarkEvent): boolean {
  const { process: subject } = event
  return (
    event.kind === 'process' &&
    event.actions.includes('exit') &&
    subject?.comm === MARKER &&
    subject.ppid === process.pid
  )
}

/** Most polls of a queue until its counters must agree. */
const MAX_POLLS = 500

/** Counts of what came out of a queue, which was opened with `snapshot`. */
export class DeliveryTally {
  readonly actions = { fork: 0, exec: 0, exit: 0, idChange: 0, commChange: 0 }
  /** Records that the stream reports as lost. */
  declaredLost = 0
  #snapshots = 0

  take(events: readonly QuarkEvent[]): void {
    for (const event of events) {
      if (event.kind === 'lost') {
        this.declaredLost += event.cause === 'evicted' ? 0 : event.count
      } else if (event.kind === 'snapshot') {
        this.#snapshots += 1
      } else if (event.kind === 'process') {
        for (const action of event.actions) {
          this.actions[action] += 1
        }
      }
    }
  }

  /** Records of the kernel that were delivered: those of the snapshot are quark's own. */
  delivered({ removals }: QuarkStats): number {
    return removals - this.#snapshots
  }

  /**
   * Takes events until nothing is held, what was delivered and what was lost make up what was produced, and the
   * stream has reported no fewer losses; other processes of the machine may delay that for a while.
   * Returns the counters of that moment.
   *
   * @throws {Error} when that never happens
   */
  async settle(source: EventSource): Promise<QuarkStats> {
    let stats = source.stats()
    for (let polls = 0; polls < MAX_POLLS; polls += 1) {
      this.take(source.poll())
      stats = source.stats()
      const isWhole = this.delivered(stats) + lostRecords(stats) === sum(stats.produced)
      if (stats.buffered === 0 && isWhole && this.declaredLost >= stats.lost) {
        return stats
      }
      await source.wait(20)
    }
    throw new Error(
      `Cannot account for all records: ${sum(stats.produced)} were produced, ${this.delivered(stats)} delivered, ` +
        `${stats.buffered} are held, ${lostRecords(stats)} were lost and ${this.declaredLost} reported as lost`,
    )
  }
}

/** Records that were made and never delivered. */
export function lostRecords({ lostRingFull, lostRejected }: QuarkStats): number {
  return sum(lostRingFull) + lostRejected
}

/** Total of a table of counters. */
export function sum(counters: Readonly<Record<string, number>>): number {
  return Object.values(counters).reduce((total, count) => total + count, 0)
}
