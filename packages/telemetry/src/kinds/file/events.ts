/** The event that is made of records about files; event-specs.ts explains its members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** What happened to a file, in the order in which an event lists it: that of the bits of records. */
export const FILE_ACTIONS = [
  'create',
  'mkdir',
  'mknod',
  'symlink',
  'link',
  'truncate',
  'modify',
  'chmod',
  'chown',
  'utimes',
  'xattr',
  'attributes',
  'move',
  'exchange',
  'remove',
  'rmdir',
  'close',
] as const

export type FileAction = (typeof FILE_ACTIONS)[number]

export const FILE_TYPES = ['file', 'dir', 'symlink', 'fifo', 'socket', 'block', 'char'] as const

export type FileType = (typeof FILE_TYPES)[number]

/** A process created, changed, moved or removed a file. */
export interface FileEvent extends BaseEvent, Forms<FileEvent> {
  readonly kind: 'file'
  readonly actions: readonly FileAction[]
  /** Epoch ns of the first action. */
  readonly timeNs: bigint
  /** Undefined when it is not known where the file lies. */
  readonly path: string | undefined
  /** Of a move and a link: the other name. */
  readonly oldPath: string | undefined
  /** What a new symbolic link points to, as it was given. */
  readonly target: string | undefined
  readonly deleted: boolean
  readonly unverified: boolean
  readonly inexact: boolean
  readonly type: FileType | undefined
  /** `8:1`. */
  readonly device: string | undefined
  readonly inode: bigint | undefined
  readonly generation: number | undefined
  /** With the bits of the type. */
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly links: number | undefined
  readonly size: number | undefined
  readonly atimeNs: bigint | undefined
  readonly mtimeNs: bigint | undefined
  readonly ctimeNs: bigint | undefined
  readonly writtenBytes: number | undefined
  readonly pid: number
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
