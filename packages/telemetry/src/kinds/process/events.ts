/** The events that are made of process records; event-specs.ts explains their members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms, Plain } from '../../event/forms.js'
import type { ExecChange } from '../../process/exec-change.js'
import type { Ids, Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** What happened to a process. An event lists its actions in this order, whatever their order in time. */
export type ProcessAction = 'fork' | 'exec' | 'exit' | 'idChange' | 'commChange'

/** Ids before and after a change; each lacks what is not known. */
export interface IdChange {
  /** Which calls were seen. */
  readonly changed: readonly ('sid' | 'uid' | 'gid')[]
  readonly from: Partial<Ids>
  readonly to: Partial<Ids>
}

/** One or more of a process's fork, exec, exit, id and name changes that happened close together. */
export interface ProcessEvent extends BaseEvent, Forms<ProcessEvent> {
  readonly kind: 'process'
  readonly actions: readonly ProcessAction[]
  /** Epoch ns of the first action. */
  readonly timeNs: bigint
  /** The process after the last action. */
  readonly process: Process
  /** Its parent and leaders, as they were when the event began. */
  readonly relatives?: Relatives | undefined
  readonly idChange: IdChange | undefined
  /** What it executed was written before by its own session or tree; only with `execChanges`. */
  readonly execChange?: ExecChange | undefined
}

/** An existing process, found in /proc when the queue was opened. */
export interface SnapshotEvent extends BaseEvent, Forms<SnapshotEvent> {
  readonly kind: 'snapshot'
  /** Epoch ns of the scan. */
  readonly timeNs: bigint
  readonly process: Process
  /** Its parent and leaders, as they were when the event began. */
  readonly relatives?: Relatives | undefined
}

/** A thread other than the first began or ended. */
export interface ThreadEvent extends BaseEvent, Forms<ThreadEvent> {
  readonly kind: 'thread'
  readonly action: 'fork' | 'exit'
  readonly pid: number
  readonly tid: number
  readonly comm: string | undefined
  /** Status that the thread ended with; undefined when a signal ended it. */
  readonly exitCode: number | undefined
  /** Number of the signal that ended it, with its process. */
  readonly exitSignal?: number | undefined
  readonly process: Process | undefined
  /** Its parent and leaders, as they were when the event began. */
  readonly relatives?: Relatives | undefined
}

/** An execve(2) failed. */
export interface ExecFailedEvent extends BaseEvent, Forms<ExecFailedEvent> {
  readonly kind: 'execFailed'
  readonly pid: number
  readonly tid: number
  /** As the caller passed it; undefined when it could not be read. */
  readonly filename: string | undefined
  /** Positive errno. */
  readonly errno: number
  readonly process: Process | undefined
  /** Its parent and leaders, as they were when the event began. */
  readonly relatives?: Relatives | undefined
}

/** Bits of actions, in the order in which an event lists them. */
export const ACTION_FORK = 1
export const ACTION_EXEC = 2
export const ACTION_EXIT = 4
export const ACTION_ID_CHANGE = 8
export const ACTION_COMM_CHANGE = 16

const NAMES: readonly ProcessAction[] = ['fork', 'exec', 'exit', 'idChange', 'commChange']

/** The lists of actions by their bits: shared by all events. */
const LISTS: readonly (readonly ProcessAction[])[] = Array.from({ length: 1 << NAMES.length }, (_, bits) =>
  Object.freeze(NAMES.filter((_name, bit) => (bits & (1 << bit)) !== 0)),
)

/** The names of actions, by their bits. */
export function actionsOf(bits: number): readonly ProcessAction[] {
  return LISTS[bits] as readonly ProcessAction[]
}

/** Halves of a time, to be read as one number without computing with big ones. */
const time = new BigInt64Array(1)
const halves = new Int32Array(time.buffer)

/** A process event. All of its members are its own, so that copies of it have them. */
export class ProcessChange implements ProcessEvent {
  readonly kind = 'process'
  readonly timeNs: bigint
  readonly actions: readonly ProcessAction[]
  readonly process: Process
  readonly idChange: IdChange | undefined
  /** Set by the records that joined. */
  execChange: ExecChange | undefined = undefined
  /** Set at delivery. */
  relatives: Relatives | undefined = undefined
  declare toObject: () => Plain<ProcessEvent>
  declare toJSON: () => Record<string, unknown>
  /** `timeLo` and `timeHi` are the halves of a time on CLOCK_BOOTTIME in ns. */
  constructor(
    actions: number,
    process: Process,
    idChange: IdChange | undefined,
    timeLo: number,
    timeHi: number,
    bootEpochNs: bigint,
  ) {
    this.actions = actionsOf(actions)
    this.process = process
    this.idChange = idChange
    halves[0] = timeLo
    halves[1] = timeHi
    // Within 64 bits the engine adds as fast as it does other numbers; nearly all consumers read it.
    this.timeNs = BigInt.asIntN(64, (time[0] as bigint) + bootEpochNs)
  }
}
