/** The event of shared memory. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

export type SharedMemoryAction = 'shmget' | 'shmat' | 'memfd' | 'open'

/** A process made, found, attached or opened shared memory. */
export interface SharedMemoryEvent extends BaseEvent, Forms<SharedMemoryEvent> {
  readonly kind: 'sharedMemory'
  readonly action: SharedMemoryAction
  readonly pid: number
  /** Of shmget(2); 0 is IPC_PRIVATE. */
  readonly key: number | undefined
  /** Of a segment. */
  readonly id: number | undefined
  /** As shmget(2) was asked for. */
  readonly sizeBytes: number | undefined
  readonly flags: readonly string[] | undefined
  /** Permissions that shmget(2) was asked for. */
  readonly mode: number | undefined
  /** Whether it was made by this call. */
  readonly created: boolean | undefined
  readonly writable: boolean | undefined
  /** Of a memfd. */
  readonly name: string | undefined
  /** Of a file below /dev/shm. */
  readonly path: string | undefined
  /** Where shmat(2) put it. */
  readonly address: bigint | undefined
  /** Positive errno, if it failed. */
  readonly errno: number | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
