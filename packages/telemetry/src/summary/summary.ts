import type { BaseEvent } from '../event/event.js'
import type { LostEvent } from '../event/event.js'
import { shellWord } from '../output/shell.js'
import type { Process, ProcessUsage } from '../process/process.js'
import { ownName, type TopRow, TopSums, TopValues } from './top.js'

/** Most commands and most users of which sums are kept. */
export const MAX_NAMES = 1024
/** Rows of each list of a report, unless others are asked for. */
export const DEFAULT_ROWS = 5
/** Most rows of each list. */
export const MAX_ROWS = 100
/** Of longer names of commands the end is kept, and of arguments the begin. */
const MAX_NAME_CHARS = 256
const MAX_ARGUMENTS_CHARS = 256
const NS_PER_SECOND = 1e9
const UNKNOWN = '(unknown)'

/** An event, as far as a summary looks at it: every `QuarkEvent` is one. */
export type SummarisedEvent = BaseEvent & {
  readonly process?: Process | undefined
  readonly actions?: readonly string[]
}

/** A command, which is the path of its program, and a sum over its processes. */
export interface CommandSum {
  readonly command: string
  readonly value: number
  /** The value is too large by at most this; absent when it is exact. */
  readonly errorAtMost?: number
}

/** One process. */
export interface ProcessRow {
  readonly pid: number
  readonly command: string
  /** Its arguments as one could paste them into a shell, maybe cut; absent if they are not known. */
  readonly arguments?: string
  readonly value: number
}

/** A user, and how many processes of it began. */
export interface UserSum {
  readonly uid: number
  readonly name?: string
  readonly processes: number
  readonly errorAtMost?: number
  readonly cpuSeconds?: number
}

/** What a summary knows. Lists have the largest value first; times are seconds, memory is bytes. */
export interface SummaryReport {
  readonly kind: 'summary'
  /** How long it was collected. */
  readonly seconds: number
  /** Processes that began, ended, ended with another status than 0, and were killed by a signal. */
  readonly processes: {
    readonly began: number
    readonly ended: number
    readonly failed: number
    readonly killed: number
  }
  readonly processesPerSecond: number
  readonly execs: number
  /** Execs that failed; absent unless they are watched. */
  readonly failedExecs?: number
  /** Records that were lost meanwhile. */
  readonly lost: number
  /** Commands by how often they were executed. */
  readonly mostRuns: readonly CommandSum[]
  /** Commands by the time from start to end of all their processes. */
  readonly mostTime: readonly CommandSum[]
  /** Processes by the time from start to end. */
  readonly longest: readonly ProcessRow[]
  /** Commands by the CPU time of all their processes; absent without `usage`. */
  readonly mostCpu?: readonly CommandSum[]
  /** Commands by the memory that one of their processes had at its peak; absent without `usage`. */
  readonly mostMemory?: readonly ProcessRow[]
  /** Commands by how many of their processes failed or were killed. */
  readonly mostFailed: readonly CommandSum[]
  readonly users: readonly UserSum[]
  /** There were more commands or users than are kept: small sums are missing, and others may be too large. */
  readonly isCut: boolean
}

/** The options of a summary. */
export interface SummaryOptions {
  /** Rows of each list, 1 to 100. Default 5. */
  readonly rows?: number
}

/** What is known beside events when a report is made. */
export interface ReportContext {
  /** How long it was collected; by default the time between the first event and the last one. */
  readonly seconds?: number
  readonly userName?: (uid: number) => string | undefined
}

/**
 * Collects what processes did in bounded memory, however many there are: counts, and the commands that ran most, took
 * longest, used most and failed most. CPU time and memory need the option `usage` of the queue.
 *
 * @example
 * ```ts
 * const summary = new Summary()
 * for await (const event of quark) summary.add(event)
 * console.log(summaryText(summary.report()))
 * ```
 */
export class Summary {
  readonly #rows: number
  #began = 0
  #ended = 0
  #failed = 0
  #killed = 0
  #execs = 0
  #failedExecs: number | undefined
  #lost = 0
  #hasUsage = false
  #first: SummarisedEvent | undefined
  #last: SummarisedEvent | undefined
  readonly #runs = new TopSums(MAX_NAMES)
  readonly #time = new TopSums(MAX_NAMES)
  readonly #cpu = new TopSums(MAX_NAMES)
  readonly #failures = new TopSums(MAX_NAMES)
  readonly #users = new TopSums(MAX_NAMES)
  readonly #userCpu = new TopSums(MAX_NAMES)
  readonly #longest: TopValues<Omit<ProcessRow, 'value'>>
  readonly #memory: TopValues<Omit<ProcessRow, 'value'>>

  /** @throws {RangeError} for an unusable number of rows */
  constructor({ rows = DEFAULT_ROWS }: SummaryOptions = {}) {
    if (!Number.isInteger(rows) || rows < 1 || rows > MAX_ROWS) {
      throw new RangeError(`Cannot make a summary of ${rows} rows: give a whole number from 1 to ${MAX_ROWS}`)
    }
    this.#rows = rows
    this.#longest = new TopValues(rows, () => undefined)
    this.#memory = new TopValues(rows, ({ command }) => command)
  }

  /** Takes in an event of a queue, of whatever kind. */
  add(event: SummarisedEvent): void {
    this.#first ??= event
    this.#last = event
    switch (event.kind) {
      case 'process':
        this.#addProcess(event.process as Process, event.actions as readonly string[])
        return
      case 'execFailed':
        this.#failedExecs = (this.#failedExecs ?? 0) + 1
        return
      case 'lost':
        this.#lost += (event as unknown as LostEvent).count
    }
  }

  /** What is known so far. The collecting goes on. */
  report({ seconds = this.#span(), userName }: ReportContext = {}): SummaryReport {
    const began = this.#began
    const rows = this.#rows
    return {
      kind: 'summary',
      seconds,
      processes: { began, ended: this.#ended, failed: this.#failed, killed: this.#killed },
      processesPerSecond: seconds > 0 ? began / seconds : 0,
      execs: this.#execs,
      ...(this.#failedExecs === undefined ? {} : { failedExecs: this.#failedExecs }),
      lost: this.#lost,
      mostRuns: this.#runs.rows(rows).map(sumOf),
      mostTime: this.#time.rows(rows).map(secondsOf),
      longest: this.#longest.rows().map(({ value, thing }) => ({ ...thing, value: value / NS_PER_SECOND })),
      ...(this.#hasUsage
        ? {
            mostCpu: this.#cpu.rows(rows).map(secondsOf),
            mostMemory: this.#memory.rows().map(({ value, thing }) => ({ ...thing, value })),
          }
        : {}),
      mostFailed: this.#failures.rows(rows).map(sumOf),
      users: this.#users.rows(rows).map((row) => this.#userOf(row, userName)),
      isCut: [this.#runs, this.#time, this.#cpu, this.#failures, this.#users].some(({ isCut }) => isCut),
    }
  }

  #addProcess(process: Process, actions: readonly string[]): void {
    const command = commandOf(process)
    if (actions[0] === 'fork') {
      this.#began += 1
      if (process.uid !== undefined) this.#users.add(`${process.uid}`, 1)
    }
    if (actions.includes('exec')) {
      this.#execs += 1
      this.#runs.add(command, 1)
    }
    if (actions.includes('exit')) this.#addEnd(process, command)
  }

  #addEnd(process: Process, command: string): void {
    this.#ended += 1
    if (process.exitSignal !== undefined) {
      this.#killed += 1
      this.#failures.add(command, 1)
    } else if (process.exitCode !== undefined && process.exitCode !== 0) {
      this.#failed += 1
      this.#failures.add(command, 1)
    }
    const { durationNs, usage } = process
    if (durationNs !== undefined) {
      const ns = Number(durationNs)
      this.#time.add(command, ns)
      if (ns > this.#longest.least) this.#longest.offer(ns, rowOf(process, command))
    }
    if (usage !== undefined) this.#addUsage(process, usage, command)
  }

  #addUsage(process: Process, usage: ProcessUsage, command: string): void {
    this.#hasUsage = true
    const ns = Number(usage.userTimeNs) + Number(usage.systemTimeNs)
    this.#cpu.add(command, ns)
    if (process.uid !== undefined) this.#userCpu.add(`${process.uid}`, ns)
    const { peakRssBytes } = usage
    if (peakRssBytes > this.#memory.least) this.#memory.offer(peakRssBytes, rowOf(process, command))
  }

  #userOf({ name, weight, error }: TopRow, userName: ReportContext['userName']): UserSum {
    const uid = Number(name)
    const known = userName?.(uid)
    const cpu = this.#hasUsage ? this.#userCpu.rows(MAX_NAMES).find((row) => row.name === name) : undefined
    return {
      uid,
      ...(known === undefined ? {} : { name: known }),
      processes: weight,
      ...(error === 0 ? {} : { errorAtMost: error }),
      ...(cpu === undefined ? {} : { cpuSeconds: cpu.weight / NS_PER_SECOND }),
    }
  }

  /** Seconds between the first event and the last one. */
  #span(): number {
    if (this.#first === undefined || this.#last === undefined) return 0
    return Number(this.#last.timeNs - this.#first.timeNs) / NS_PER_SECOND
  }
}

/** The path of the program, else the name of the process. */
function commandOf({ exe, comm }: Process): string {
  const name = exe ?? comm ?? UNKNOWN
  return name.length <= MAX_NAME_CHARS ? name : `…${name.slice(1 - MAX_NAME_CHARS)}`
}

function rowOf({ pid, argv }: Process, command: string): Omit<ProcessRow, 'value'> {
  return argv === undefined
    ? { pid, command: ownName(command) }
    : { pid, command: ownName(command), arguments: ownName(argumentsOf(argv)) }
}

function argumentsOf(argv: readonly string[]): string {
  let text = ''
  for (const argument of argv) {
    const word = shellWord(argument.slice(0, MAX_ARGUMENTS_CHARS))
    text += text === '' ? word : ` ${word}`
    if (text.length > MAX_ARGUMENTS_CHARS) return `${text.slice(0, MAX_ARGUMENTS_CHARS - 1)}…`
  }
  return text
}

function sumOf({ name, weight, error }: TopRow): CommandSum {
  return { command: name, value: weight, ...(error === 0 ? {} : { errorAtMost: error }) }
}

function secondsOf({ name, weight, error }: TopRow): CommandSum {
  return {
    command: name,
    value: weight / NS_PER_SECOND,
    ...(error === 0 ? {} : { errorAtMost: error / NS_PER_SECOND }),
  }
}
