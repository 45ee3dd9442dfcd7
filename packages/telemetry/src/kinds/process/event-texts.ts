/** How the events of processes are lines of text. */

import type { EventTextSpec, TextNote, TextWord } from '../../event/spec.js'
import { execChangeNotes } from '../../process/exec-change.js'
import type { Ids } from '../../process/process.js'
import {
  doubtNotes,
  endNotes,
  environmentOf,
  placeNotes,
  processColumns,
  programNotes,
  usageNotes,
} from '../../process/text.js'
import type {
  ExecFailedEvent,
  IdChange,
  ProcessAction,
  ProcessEvent,
  SnapshotEvent,
  ThreadEvent,
} from './events.js'

const WORDS = {
  run: {
    doc: 'a process began, and executed a program; its end is in the same line if it came soon',
    tone: 'began',
  },
  fork: { doc: 'a process began, and goes on with the program of its parent', tone: 'began' },
  exec: { doc: 'a process executed a program', tone: 'began' },
  exit: { doc: 'a process ended', tone: 'quiet' },
  ids: { doc: 'a process changed its user, group or session', tone: 'changed' },
  name: { doc: 'a process changed its name', tone: 'changed' },
} as const satisfies Record<string, TextWord>

/** One word for all that an event says: the rest is in its notes. */
function wordOf({ actions }: ProcessEvent): keyof typeof WORDS {
  if (actions.includes('exec')) return actions.includes('fork') ? 'run' : 'exec'
  if (actions.includes('fork')) return 'fork'
  if (actions.includes('exit')) return 'exit'
  return actions.includes('idChange') ? 'ids' : 'name'
}

const IDS: readonly (readonly [call: IdChange['changed'][number], id: keyof Ids, what: string])[] = [
  ['sid', 'sid', 'its session'],
  ['uid', 'uid', 'its real user'],
  ['uid', 'euid', 'its effective user'],
  ['uid', 'suid', 'its saved user'],
  ['gid', 'gid', 'its real group'],
  ['gid', 'egid', 'its effective group'],
  ['gid', 'sgid', 'its saved group'],
]

const CHANGED_NOTES: readonly TextNote<ProcessEvent>[] = IDS.map(([call, id, what]) => ({
  label: `${id} `,
  type: 'number',
  value: ({ idChange }) =>
    idChange !== undefined && isShown(idChange, call, id) ? idChange.to[id] : undefined,
  before: ({ idChange }) => idChange?.from[id],
  tone: 'changed',
  doc: `${what}, before and afterwards`,
  example: `${id} 0→1000`,
}))

/** A change to the same ids is shown by the first of them. */
function isShown({ changed, from, to }: IdChange, call: 'sid' | 'uid' | 'gid', id: keyof Ids): boolean {
  if (!changed.includes(call)) return false
  if (from[id] !== to[id]) return true
  return id === call && !IDS.some(([of, other]) => of === call && from[other] !== to[other])
}

const NAME_NOTE: TextNote<ProcessEvent> = {
  label: 'name ',
  type: 'string',
  value: ({ actions, process }) => (actions.includes('commChange') ? process.comm : undefined),
  tone: 'changed',
  doc: 'the name that a process has given itself, or a thread has',
  example: 'name worker',
}

/** Of events that have an action, and not of others. */
function notesOf(action: ProcessAction, notes: readonly TextNote<ProcessEvent>[]): TextNote<ProcessEvent>[] {
  return notes.map((note) => ({
    ...note,
    value: (event) => (event.actions.includes(action) ? note.value(event) : undefined),
  }))
}

export const processText: EventTextSpec<ProcessEvent> = {
  ...processColumns,
  word: wordOf,
  words: WORDS,
  environment: environmentOf,
  notes: [
    ...notesOf('exit', endNotes),
    ...CHANGED_NOTES,
    NAME_NOTE,
    ...placeNotes,
    ...notesOf('exec', programNotes),
    ...execChangeNotes,
    ...doubtNotes,
    ...notesOf('exit', usageNotes),
  ],
}

export const snapshotText: EventTextSpec<SnapshotEvent> = {
  ...processColumns,
  word: () => 'here',
  words: { here: { doc: 'a process was there when the queue was opened (`--snapshot`)', tone: 'quiet' } },
  environment: environmentOf,
  notes: [...endNotes, ...placeNotes, ...programNotes, ...doubtNotes],
}

export const threadText: EventTextSpec<ThreadEvent> = {
  ...processColumns,
  word: () => 'thrd',
  words: { thrd: { doc: 'a thread other than the first began or ended (`--threads`)', tone: 'quiet' } },
  notes: [
    {
      label: 'begins',
      type: 'flag',
      value: ({ action }) => action === 'fork',
      tone: 'began',
      doc: 'a thread began',
      example: 'begins',
    },
    {
      label: 'exit ',
      type: 'number',
      value: ({ exitCode }) => exitCode,
      doc: 'a thread ended with this status',
      example: 'exit 0',
    },
    {
      label: 'killed by ',
      type: 'signal',
      value: ({ exitSignal }) => exitSignal,
      tone: 'wrong',
      doc: 'a signal ended it',
      example: 'killed by SIGKILL',
    },
    { label: 'tid ', type: 'pid', value: ({ tid }) => tid, doc: 'number of the thread', example: 'tid 4243' },
    { ...NAME_NOTE, tone: 'quiet', value: ({ comm }) => comm },
    ...placeNotes,
  ],
}

export const execFailedText: EventTextSpec<ExecFailedEvent> = {
  ...processColumns,
  command: ({ filename }) => (filename === undefined ? undefined : [filename]),
  name: () => undefined,
  word: () => 'fail',
  words: {
    fail: {
      doc: 'an execve(2) failed; the command is what was to be executed (`--failed-execs`)',
      tone: 'wrong',
    },
  },
  notes: [
    {
      label: '',
      type: 'errno',
      value: ({ errno }) => errno,
      tone: 'wrong',
      doc: 'why an exec failed',
      example: 'ENOENT',
    },
    {
      label: 'called by ',
      type: 'string',
      value: ({ process }) => process?.comm,
      doc: 'name of the process that called',
      example: 'called by sh',
    },
    ...placeNotes,
  ],
}
