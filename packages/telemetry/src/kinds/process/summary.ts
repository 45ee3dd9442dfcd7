/** What a summary says of processes. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { execChangeList } from '../../process/exec-change.js'
import { processMembers, programMember, userMember } from '../../process/summary.js'
import type { ProcessAction, ExecFailedEvent, ProcessEvent } from './events.js'

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

/** What a report says of processes. Lists have the largest value first; times are seconds, memory is bytes. */
export interface ProcessSummary {
  /** Processes that began, ended, ended with another status than 0, and were killed by a signal. */
  readonly processes: {
    readonly began: number
    readonly ended: number
    readonly failed: number
    readonly killed: number
  }
  readonly processesPerSecond: number
  readonly execs: number
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
  /** Programs by how often they were executed by who wrote them or their script; absent as long as none was. */
  readonly mostWritten?: readonly CommandSum[]
}

/** What a report says of failed execs. */
export interface ExecFailedSummary {
  /** Execs that failed; absent unless they are watched. */
  readonly failedExecs?: number
}

/** Counts that are one line of the table. */
const line = 'process'

function has({ actions }: ProcessEvent, action: ProcessAction): 0 | 1 {
  return actions.includes(action) ? 1 : 0
}

/** An event that is about a whole life begins with the fork. */
function began({ actions }: ProcessEvent): 0 | 1 {
  return actions[0] === 'fork' ? 1 : 0
}

function failed(event: ProcessEvent): 0 | 1 {
  const { exitCode = 0 } = event.process
  return has(event, 'exit') === 1 && killed(event) === 0 && exitCode !== 0 ? 1 : 0
}

function killed(event: ProcessEvent): 0 | 1 {
  return has(event, 'exit') === 1 && event.process.exitSignal !== undefined ? 1 : 0
}

function durationNs(event: ProcessEvent): number | undefined {
  const { durationNs: ns } = event.process
  return ns === undefined || has(event, 'exit') === 0 ? undefined : Number(ns)
}

function cpuNs(event: ProcessEvent): number | undefined {
  const { usage } = event.process
  if (usage === undefined || has(event, 'exit') === 0) return undefined
  return Number(usage.userTimeNs) + Number(usage.systemTimeNs)
}

function peakRssBytes(event: ProcessEvent): number | undefined {
  return has(event, 'exit') === 0 ? undefined : event.process.usage?.peakRssBytes
}

const value = { name: 'value' } as const
const members = [programMember]

export const processSummary: SummarySpec<ProcessEvent, ProcessSummary> = {
  counts: [
    {
      at: 'processes.began',
      doc: 'processes that began',
      of: began,
      text: ['process', 'processes'],
      isAlways: true,
      perSecond: 'processesPerSecond',
      line,
    },
    { at: 'processes.ended', doc: 'that ended', of: (event) => has(event, 'exit'), text: 'ended', line },
    {
      at: 'processes.failed',
      doc: 'that ended with another status than 0',
      of: failed,
      text: 'failed',
      line,
    },
    { at: 'processes.killed', doc: 'that a signal ended', of: killed, text: 'killed', line },
    {
      at: 'execs',
      doc: 'programs that were executed',
      of: (event) => has(event, 'exec'),
      text: 'execs',
      isAlways: true,
      line,
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostRuns',
      title: 'Ran most',
      doc: 'commands by how often they were executed',
      members,
      numbers: [{ ...value, doc: 'how often', unit: 'count', of: (event) => has(event, 'exec') }],
      isAlways: true,
    },
    {
      type: 'sums',
      at: 'mostTime',
      title: 'Took most time, all processes together',
      doc: 'commands by the time from start to end of all their processes',
      members,
      numbers: [{ ...value, doc: 'that time', unit: 'ns', of: durationNs }],
      isAlways: true,
    },
    {
      type: 'top',
      at: 'longest',
      title: 'Took longest',
      doc: 'processes by the time from start to end',
      members: processMembers,
      number: { ...value, doc: 'that time', unit: 'ns', of: durationNs },
      isAlways: true,
    },
    {
      type: 'sums',
      at: 'mostCpu',
      title: 'Used most CPU, all processes together',
      doc: 'commands by the CPU time of all their processes; absent without `usage`',
      members,
      numbers: [{ ...value, doc: 'that time', unit: 'ns', of: cpuNs }],
    },
    {
      type: 'top',
      at: 'mostMemory',
      title: 'Used most memory, one process at its peak',
      doc: 'commands by the memory that one of their processes had at its peak; absent without `usage`',
      members: processMembers,
      number: { ...value, doc: 'that memory', unit: 'bytes', of: peakRssBytes },
      onePer: 'command',
    },
    {
      type: 'sums',
      at: 'mostFailed',
      title: 'Failed most',
      doc: 'commands by how many of their processes failed or were killed',
      members,
      numbers: [{ ...value, doc: 'how many', unit: 'count', of: (event) => failed(event) + killed(event) }],
      isAlways: true,
    },
    {
      type: 'sums',
      at: 'users',
      title: 'By user',
      doc: 'users by how many of their processes began',
      members: [userMember],
      numbers: [
        { name: 'processes', doc: 'how many', unit: 'count', of: began },
        {
          name: 'cpuSeconds',
          doc: 'CPU time of their processes; absent without `usage`',
          unit: 'ns',
          // A time of 0 is that of nothing that was measured.
          of: (event) => cpuNs(event) || undefined,
          end: ' of CPU',
        },
      ],
      isAlways: true,
    },
    execChangeList,
  ],
}

export const execFailedSummary: SummarySpec<ExecFailedEvent, ExecFailedSummary> = {
  counts: [
    {
      at: 'failedExecs',
      doc: 'execs that failed; absent unless they are watched',
      of: () => 1,
      text: 'failed execs',
      line,
    },
  ],
}
