import type { Process } from '../process/process.js'
import type { RawEvent } from './raw-event.js'

/** What happened to a process. An event lists its actions in this order, whatever their order in time. */
export type ProcessAction = 'fork' | 'exec' | 'exit' | 'idChange' | 'commChange'

/** Ids before and after a change; each lacks what is not known. */
export interface IdChange {
  /** Which calls were seen. */
  readonly changed: readonly ('sid' | 'uid' | 'gid')[]
  readonly from: Partial<Ids>
  readonly to: Partial<Ids>
}

export interface Ids {
  readonly sid: number
  readonly uid: number
  readonly euid: number
  readonly suid: number
  readonly gid: number
  readonly egid: number
  readonly sgid: number
}

/** One or more of a process's fork, exec, exit, id and name changes that happened close together. */
export interface ProcessEvent {
  readonly kind: 'process'
  readonly actions: readonly ProcessAction[]
  /** Epoch ns of the first action. */
  readonly timeNs: bigint
  /** The process after the last action. */
  readonly process: Process
  readonly idChange: IdChange | undefined
}

/** An existing process, found in /proc when the queue was opened. */
export interface SnapshotEvent {
  readonly kind: 'snapshot'
  /** Epoch ns of the scan. */
  readonly timeNs: bigint
  readonly process: Process
}

/** A thread other than the first began or ended. */
export interface ThreadEvent {
  readonly kind: 'thread'
  readonly action: 'fork' | 'exit'
  readonly timeNs: bigint
  readonly pid: number
  readonly tid: number
  readonly comm: string | undefined
  /** Status that the thread ended with. */
  readonly exitCode: number | undefined
  readonly process: Process | undefined
}

/** An execve(2) failed. */
export interface ExecFailedEvent {
  readonly kind: 'execFailed'
  readonly timeNs: bigint
  readonly pid: number
  readonly tid: number
  /** As the caller passed it; undefined when it could not be read. */
  readonly filename: string | undefined
  /** Positive errno. */
  readonly errno: number
  readonly process: Process | undefined
}

/** Records were lost between the previous event and this one. */
export interface LostEvent {
  readonly kind: 'lost'
  /** Epoch ns at which the loss was noticed. */
  readonly timeNs: bigint
  /** Where: the ring was full, a record was broken, or a limit of this queue was reached. */
  readonly cause: LostCause
  readonly count: number
  /** CPU whose records are missing, when it is known. */
  readonly cpu: number | undefined
  readonly process: undefined
}

export type LostCause = 'ringFull' | 'rejected' | 'recursion' | 'evicted'

export type QuarkEvent = ProcessEvent | SnapshotEvent | ThreadEvent | ExecFailedEvent | LostEvent | RawEvent
