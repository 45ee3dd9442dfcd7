/** The event of access to another process. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { Target } from '../../process/target.js'

/** Ways to another process, in the order of the numbers in records. */
export const WAYS = ['process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'procMem'] as const

/** A process got at the memory or the files of another one, or tried to. */
export interface ProcessAccessEvent extends BaseEvent, Forms<ProcessAccessEvent> {
  readonly kind: 'processAccess'
  readonly way: (typeof WAYS)[number]
  readonly pid: number
  /** The number that the caller gave; undefined if it gave none in its pid namespace. */
  readonly targetId: number | undefined
  /** `targetId` counts in another pid namespace than the first one. */
  readonly targetIsLocal: boolean
  /** That were read or written; undefined if it failed, and of other ways. */
  readonly bytes: number | undefined
  /** Of pidfd_getfd(2): the descriptor of the target that was copied. */
  readonly targetFd: number | undefined
  /** It may write: by the call, or as the file is open. Undefined of pidfd_getfd(2). */
  readonly writing: boolean | undefined
  /** Positive errno, if it failed. */
  readonly errno: number | undefined
  readonly target: Target | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
