import { join } from '../../event/join.js'
import type { Kind, RecordType } from '../kind.js'
import { applyDone, applyMoved, applyMoving, applyNamed, applySeen } from './apply.js'
import { fileEvents } from './event-specs.js'
import { fileFacts } from './facts.js'
import { fileOptions } from './options.js'
import {
  closedLayout,
  DID_CREATE,
  doneLayout,
  FILE_KIND,
  IS_BY_NAME,
  movedLayout,
  movingLayout,
  namedLayout,
  seenEndLayout,
  seenLayout,
} from './records.js'
import { resolvedFiles } from '../../files/selection.js'
import { FileTable } from './table.js'

const NS_PER_US = 1000

/** What one process does with one file is chained. */
const key = ['pid', 'device', 'inode']

const done = { name: 'fileDone', layout: doneLayout, key, apply: applyDone, colour: 'lightyellow' } as const
const closed = { name: 'fileClosed', layout: closedLayout, key, apply: applyDone, colour: 'wheat' } as const
const named = {
  name: 'fileNamed',
  layout: namedLayout,
  key: 'pid',
  apply: applyNamed,
  colour: 'tan',
} as const
const moved = {
  name: 'fileMoved',
  layout: movedLayout,
  key: 'pid',
  apply: applyMoved,
  colour: 'tan',
} as const
const moving = {
  name: 'fileMoving',
  column: 'fileMoved',
  layout: movingLayout,
  key: 'pid',
  apply: applyMoving,
  colour: 'tan',
} as const
const seen = {
  name: 'fileSeen',
  layout: seenLayout,
  key: 'id',
  apply: applySeen,
  queue: { text: 'a full queue of fanotify', reason: 'the kernel keeps no more of them' },
  colour: 'lavender',
} as const
const seenEnd = {
  name: 'fileSeenEnd',
  layout: seenEndLayout,
  key,
  apply: applyDone,
  colour: 'thistle',
} as const

const records = [done, closed, named, moved, moving, seen, seenEnd] satisfies RecordType[]

interface Whats {
  readonly fields: { readonly what: number }
}

function hasWhat({ fields }: Whats, bits: number): boolean {
  return (fields.what & bits) !== 0
}

interface Generations {
  readonly fields: { readonly generation: number }
}

/** Another file may have got the inode. */
function isSameFile({
  parent,
  child,
}: {
  readonly parent: Generations
  readonly child: Generations
}): boolean {
  return parent.fields.generation === child.fields.generation
}

interface End {
  readonly fields: { readonly what: number; readonly spanUs: number }
  readonly timeNs: number
}

/**
 * Whether the end of a time in which fanotify reported something joins. Where that time began after the parent, what was
 * reported is not known yet when the parent is delivered.
 */
function ends({
  parent,
  child,
}: {
  readonly parent: { readonly timeNs: number }
  readonly child: End
}): boolean {
  return !hasWhat(child, IS_BY_NAME) && child.timeNs - child.fields.spanUs * NS_PER_US <= parent.timeNs
}

/** Changes of files. */
export const fileKind: Kind<typeof fileOptions, typeof fileEvents> = {
  name: 'file',
  number: FILE_KIND,
  ringShare: 0.25,
  options: fileOptions,
  resolve: ({ files }) => ({ files: resolvedFiles(files) }),
  facts: fileFacts,
  table: ({ settings }) => new FileTable(settings.files),
  records,
  joins: {
    default: [
      join(
        done,
        done,
        (pair) => isSameFile(pair) && !pair.parent.has('fileClosed') && !hasWhat(pair.child, DID_CREATE),
      ),
      join(done, closed, (pair) => isSameFile(pair) && !pair.parent.has('fileClosed')),
      // What a name is about belongs to another record, which may come later.
      join(done, seenEnd, (pair) => isSameFile(pair) && ends(pair)),
      join(seenEnd, seenEnd, (pair) => isSameFile(pair) && !hasWhat(pair.parent, IS_BY_NAME) && ends(pair)),
    ],
    minimal: [],
  },
  factLabels: {
    fileNames: 'files that are created, moved, linked and removed',
    fileContent: 'files that are written to',
    fileAttributes: 'changes of attributes of files',
    fileNotices: 'changes of files that fanotify reports',
  },
  limits: [
    {
      counter: 'evicted',
      text: 'reports of changed files were dropped',
      reason: 'as many came at the same time as are kept',
    },
  ],
  events: fileEvents,
}
