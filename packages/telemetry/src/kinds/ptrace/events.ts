/** The event of a call of ptrace(2). */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { Target } from '../../process/target.js'

/** What a call did: it began to trace, stopped to, did something to what is traced, or failed. */
export type PtraceAction = 'attach' | 'detach' | 'request' | 'fail'

/** A process called ptrace(2). */
export interface PtraceEvent extends BaseEvent, Forms<PtraceEvent> {
  readonly kind: 'ptrace'
  readonly action: PtraceAction
  /** The caller; undefined where only the target of a detach is known. */
  readonly pid: number | undefined
  /** `PTRACE_ATTACH`; undefined for a number without a name, and where only its effect is known. */
  readonly request: string | undefined
  readonly requestNumber: number | undefined
  /** What it returned, if it did not fail. */
  readonly result: number | undefined
  /** Positive errno, if it failed. */
  readonly errno: number | undefined
  /** The number that the caller gave; undefined for PTRACE_TRACEME, which has none. */
  readonly targetId: number | undefined
  /** `targetId` counts in another pid namespace than the first one. */
  readonly targetIsLocal: boolean
  readonly address: bigint | undefined
  readonly data: bigint | undefined
  readonly target: Target | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
