/** What a summary says of changes of files. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { directoryOf } from '../../files/paths.js'
import { programMember } from '../../process/summary.js'
import type { FileAction, FileEvent } from './events.js'

/** Who changed files, and how many. */
export interface FileRow {
  /** The program of the process, as in other lists. */
  readonly command: string
  /** The directory in which they are; absent when it is not known. */
  readonly directory?: string
  readonly changes: number
  readonly writtenBytes?: number
  readonly errorAtMost?: number
}

/** What a report says of files; absent as long as there were none. */
export interface FileSummary {
  readonly files?: {
    readonly created: number
    readonly modified: number
    readonly moved: number
    readonly removed: number
    /** By descriptors that were closed. */
    readonly writtenBytes: number
  }
  /** By events; the largest value first. */
  readonly mostChanged?: readonly FileRow[]
}

const CREATIONS: readonly FileAction[] = ['create', 'mkdir', 'mknod', 'symlink', 'link']
const CHANGES: readonly FileAction[] = ['modify', 'truncate']
const MOVES: readonly FileAction[] = ['move', 'exchange']
const REMOVALS: readonly FileAction[] = ['remove', 'rmdir']

function hasOne({ actions }: FileEvent, some: readonly FileAction[]): 0 | 1 {
  return actions.some((action) => some.includes(action)) ? 1 : 0
}

/** Counts that are one line of the table. */
const line = 'file'

export const fileSummary: SummarySpec<FileEvent, FileSummary> = {
  counts: [
    {
      at: 'files.created',
      doc: 'files, directories and links that were created',
      of: (event) => hasOne(event, CREATIONS),
      text: ['file created', 'files created'],
      line,
    },
    {
      at: 'files.modified',
      doc: 'whose content was changed',
      of: (event) => hasOne(event, CHANGES),
      text: 'modified',
      line,
    },
    {
      at: 'files.moved',
      doc: 'that were moved',
      of: (event) => hasOne(event, MOVES),
      text: 'moved',
      line,
    },
    {
      at: 'files.removed',
      doc: 'that were removed',
      of: (event) => hasOne(event, REMOVALS),
      text: 'removed',
      line,
    },
    {
      at: 'files.writtenBytes',
      doc: 'bytes that were written by descriptors that were closed',
      of: ({ writtenBytes }) => writtenBytes ?? 0,
      unit: 'bytes',
      text: 'written',
      line,
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostChanged',
      title: 'Changed most files',
      doc: 'who changed files in which directories, by events',
      members: [
        programMember,
        {
          name: 'directory',
          doc: 'in which they are',
          type: 'name',
          of: directoryOf,
          label: ' ',
        },
      ],
      numbers: [
        { name: 'changes', doc: 'events', unit: 'count', of: () => 1 },
        {
          name: 'writtenBytes',
          doc: 'that were written by descriptors that were closed',
          unit: 'bytes',
          of: ({ writtenBytes }) => writtenBytes,
          label: ', wrote ',
        },
      ],
    },
  ],
}
