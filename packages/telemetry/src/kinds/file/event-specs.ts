/** Declaration of the event of files. */

import { fileActivities } from './activities.js'
import type { EcsForm, EventSpec, FieldSpec } from '../../event/spec.js'
import { pathEcs } from '../../files/paths.js'
import { processObject } from '../../process/spec.js'
import { FILE_ACTIONS, FILE_TYPES, type FileAction, type FileEvent } from './events.js'
import { fileText } from './event-text.js'
import { type FileSummary, fileSummary } from './summary.js'

const ECS_WORDS: Readonly<Record<FileAction, string>> = {
  create: 'created',
  mkdir: 'created',
  mknod: 'created',
  symlink: 'created',
  link: 'linked',
  truncate: 'truncated',
  modify: 'written',
  chmod: 'mode-changed',
  chown: 'owner-changed',
  utimes: 'times-changed',
  xattr: 'xattr-changed',
  attributes: 'attributes-changed',
  move: 'renamed',
  exchange: 'exchanged',
  remove: 'deleted',
  rmdir: 'deleted',
  close: 'closed',
}

/** The words of the C library, where it has them. */
const DUMP_WORDS: Readonly<Partial<Record<FileAction, string>>> = {
  create: 'CREATE',
  modify: 'MODIFY',
  remove: 'REMOVE',
  move: 'MOVE',
}

const CREATIONS: ReadonlySet<FileAction> = new Set(['create', 'mkdir', 'mknod', 'symlink', 'link'])
const REMOVALS: ReadonlySet<FileAction> = new Set(['remove', 'rmdir'])

function ecsAction({ actions }: FileEvent): string {
  return `file-${[...new Set(actions.map((action) => ECS_WORDS[action]))].join('-')}`
}

function ecsTypes({ actions }: FileEvent): readonly string[] {
  const types = new Set<string>()
  for (const action of actions) {
    if (CREATIONS.has(action)) types.add('creation')
    else if (REMOVALS.has(action)) types.add('deletion')
    else types.add('change')
  }
  return [...types]
}

function octal(mode: number | undefined, mask = 0o7777): string | undefined {
  return mode === undefined ? undefined : `0${(mode & mask).toString(8)}`
}

function text(value: { toString(): string } | undefined): string | undefined {
  return value?.toString()
}

const path: FieldSpec<FileEvent> = {
  type: 'string',
  doc: 'path of the file, as the process sees it, below the root directory of the process if that is another one; of a move and a link the new one; absent when it is not known',
  roles: ['path'],
  dump: 'FILE.path path',
  ecs: pathEcs,
}

const device: FieldSpec<FileEvent> = {
  type: 'string',
  doc: 'the device with the file system, major and minor, as mountinfo has it: `8:1`. On btrfs stat(2) has another one for each subvolume, whose files may have the same `inode`',
  dump: 'FILE.more device',
  ecs: 'file.device',
}

const inode: FieldSpec<FileEvent> = {
  type: 'digits',
  doc: 'number of the inode; with `device` and `generation` it is the same file',
  dump: 'FILE.mode inode',
  ecs: { path: 'file.inode', as: 'string', value: ({ inode }) => text(inode) },
}

function time(doc: string, dump: string, ecs: string | EcsForm<FileEvent>): FieldSpec<FileEvent> {
  return { type: 'time', doc, dump: { at: `FILE.times ${dump}`, type: 'digits' }, ecs }
}

const fileSpec: EventSpec<FileEvent, FileSummary> = {
  kind: 'file',
  doc: 'A process created, changed, moved or removed a file',
  subject: ({ pid }) => pid,
  repeats: () => true,
  madeWith: 'files',
  fields: {
    actions: {
      type: 'words',
      words: FILE_ACTIONS,
      doc: 'what happened, in this order; `attributes` where it is not known which of mode, owner, times and extended attributes; `close` ends writing',
      isAlwaysKnown: true,
      dump: {
        at: 'FILE.op op',
        type: 'string',
        value: ({ actions }) => actions.map((action) => DUMP_WORDS[action] ?? action.toUpperCase()).join('|'),
      },
      ecs: 'quark.actions',
    },
    path,
    oldPath: {
      type: 'string',
      doc: 'of a move the path before; of a link the other name; of an exchange the other file',
      roles: ['path'],
      dump: 'FILE.old old_path',
      ecs: 'quark.file.old_path',
    },
    target: {
      type: 'string',
      doc: 'what a new symbolic link points to',
      dump: 'FILE.target sym_target',
      ecs: 'file.target_path',
    },
    deleted: {
      type: 'flag',
      doc: 'the file had no name any more when this happened',
      dump: 'FILE.more deleted',
      ecs: 'quark.file.deleted',
    },
    unverified: {
      type: 'flag',
      doc: 'the path is only what the process gave: symbolic links in it are not followed, and a process that wants to can give another one than it used',
      dump: 'FILE.more unverified',
      ecs: 'quark.file.unverified',
    },
    inexact: {
      type: 'flag',
      doc: 'the time is that of reading: it happened before, in most cases some milliseconds',
      dump: 'FILE.more inexact',
      ecs: 'quark.file.inexact',
    },
    type: {
      type: 'word',
      words: FILE_TYPES,
      doc: 'what sort of file it is',
      dump: 'FILE.more type',
      ecs: 'file.type',
    },
    device,
    inode,
    generation: {
      type: 'number',
      doc: 'distinguishes files that had the same inode one after the other',
      dump: 'FILE.more generation',
      ecs: 'quark.file.generation',
    },
    mode: {
      type: 'number',
      doc: 'mode with the type of the file, as stat(2) has it, after the event',
      dump: { at: 'FILE.mode mode', type: 'string', value: ({ mode }) => octal(mode, 0o177777) },
      ecs: {
        path: 'file.mode',
        as: 'string',
        value: ({ mode }) => octal(mode),
        doc: 'permissions in octal: `0644`',
      },
    },
    uid: {
      type: 'uid',
      doc: 'owner of the file',
      dump: { at: 'FILE.mode uid', type: 'number' },
      ecs: [
        { path: 'file.uid', as: 'string', value: ({ uid }) => text(uid) },
        { path: 'file.owner', as: 'name', doc: 'name of the owner' },
      ],
    },
    gid: {
      type: 'gid',
      doc: 'group of the file',
      dump: { at: 'FILE.mode gid', type: 'number' },
      ecs: [
        { path: 'file.gid', as: 'string', value: ({ gid }) => text(gid) },
        { path: 'file.group', as: 'name', doc: 'name of the group' },
      ],
    },
    links: {
      type: 'number',
      doc: 'names that the file has',
      dump: 'FILE.more links',
      ecs: 'quark.file.links',
    },
    size: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'size of the file when the last of this happened',
      dump: 'FILE.mode size',
      ecs: 'file.size',
    },
    atimeNs: time('when it was last read', 'atime', 'file.accessed'),
    mtimeNs: time('when its content was last changed', 'mtime', 'file.mtime'),
    ctimeNs: time('when it or its attributes were last changed', 'ctime', 'file.ctime'),
    writtenBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'bytes that the process wrote by the descriptor that it closed; absent when no rung counts them',
      dump: 'FILE.more written',
      ecs: 'quark.file.written_bytes',
    },
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: fileText,
  summary: fileSummary,
  activities: fileActivities,
  dump: {
    title: () => 'FILE',
    lines: [
      'FILE.op',
      'FILE.path',
      'FILE.old',
      'FILE.target',
      'FILE.mode mode uid gid size inode',
      'FILE.times',
      'FILE.more',
    ],
  },
  ecs: {
    action: ecsAction,
    category: ['file'],
    type: ecsTypes,
    dataset: 'quark.file',
    paths: ['file'],
    rows: [
      {
        what: 'change of a file',
        action:
          '`file`, then `-created`, `-linked`, `-truncated`, `-written`, `-mode-changed`, `-owner-changed`, `-times-changed`, `-xattr-changed`, `-attributes-changed`, `-renamed`, `-exchanged`, `-deleted` and `-closed`, as they apply: `file-created-written-closed`',
        type: '`creation`, `deletion`, `change`, as they apply',
      },
    ],
  },
}

export const fileEvents = [fileSpec] as const
