/** The event of memory that becomes executable. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** Calls by which memory becomes executable, in the order of the numbers in records. */
export const CALLS = ['mprotect', 'pkey_mprotect', 'mmap', 'shmat'] as const

/** A process made memory executable, in a way in which it had not since its last exec. */
export interface ExecutableMemoryEvent extends BaseEvent, Forms<ExecutableMemoryEvent> {
  readonly kind: 'executableMemory'
  readonly call: (typeof CALLS)[number]
  readonly pid: number
  /** It can be written to at the same time. */
  readonly writable: boolean
  /** The call did not ask for it: the personality of the process makes all that can be read executable. */
  readonly implied: boolean
  readonly address: bigint
  /** Undefined of shmat(2). */
  readonly sizeBytes: number | undefined
  /** Of mmap(2): the file; undefined if the memory is of none. */
  readonly file: string | undefined
  /** Of shmat(2): the id of the segment. */
  readonly segment: number | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
