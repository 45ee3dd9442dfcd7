import type { Forms } from './forms.js'

/** Members of all events. */
export interface BaseEvent {
  readonly kind: string
  /** Epoch ns. */
  readonly timeNs: bigint
}

/** Records were lost between the previous event and this one. */
export interface LostEvent extends BaseEvent, Forms<LostEvent> {
  readonly kind: 'lost'
  /** Epoch ns at which the loss was noticed. */
  readonly timeNs: bigint
  /** Why: the ring or another queue was full, a record was broken, or a limit of this queue was reached. */
  readonly cause: LostCause
  readonly count: number
  /** CPU whose records are missing, when it is known. */
  readonly cpu: number | undefined
  /** Real uid of the processes that ran when the ring was full, when it is known; one event for each. */
  readonly uid?: number | undefined
  /** Kind whose table had no room, unless that is the table of processes; kind of what the kernel counted and no program saw. */
  readonly table?: string | undefined
  readonly process: undefined
  readonly relatives?: undefined
}

export type LostCause = 'ringFull' | 'rejected' | 'recursion' | 'evicted' | 'unseen'
