/** The event of opening a sensitive file; event-specs.ts explains its members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { Target } from '../../process/target.js'

export const ACCESS_ACTIONS = ['open', 'denied'] as const
export const ACCESS_MODES = ['read', 'write', 'readWrite', 'path'] as const

/** A process opened a sensitive file, or was denied to. */
export interface FileAccessEvent extends BaseEvent, Forms<FileAccessEvent> {
  readonly kind: 'fileAccess'
  readonly action: (typeof ACCESS_ACTIONS)[number]
  readonly timeNs: bigint
  readonly path: string
  readonly access: (typeof ACCESS_MODES)[number]
  /** Positive; undefined if it was opened. */
  readonly errno: number | undefined
  readonly unverified: boolean
  /** Of a file below `/proc/<pid>`. */
  readonly target: Target | undefined
  /** `8:1`. */
  readonly device: string | undefined
  readonly inode: bigint | undefined
  readonly pid: number
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
