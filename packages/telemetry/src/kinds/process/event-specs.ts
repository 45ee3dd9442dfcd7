/** Declarations of the events of processes. */

import { processActivities } from './activities.js'
import type { EventSpec, FieldSpec, ObjectSpec } from '../../event/spec.js'
import { execChangeObject } from '../../process/exec-change.js'
import { processObject } from '../../process/spec.js'
import { idsObject } from '../../process/spec-parts.js'
import { execFailedText, processText, snapshotText, threadText } from './event-texts.js'
import {
  type ExecFailedEvent,
  type IdChange,
  type ProcessAction,
  ProcessChange,
  type ProcessEvent,
  type SnapshotEvent,
  type ThreadEvent,
} from './events.js'
import { execFailedSummary, type ExecFailedSummary, processSummary, type ProcessSummary } from './summary.js'

const CATEGORY = ['process']
const DATASET = 'quark.process'

const processAfterwards: FieldSpec<object> = {
  type: 'object',
  object: processObject,
  doc: 'the process afterwards',
}

const idChangeObject: ObjectSpec<IdChange> = {
  name: 'idChange',
  doc: 'Ids before and after a change',
  fields: {
    changed: {
      type: 'words',
      words: ['sid', 'uid', 'gid'],
      doc: 'which calls were seen',
      isAlwaysKnown: true,
      ecs: 'changed',
    },
    from: {
      type: 'object',
      object: idsObject,
      doc: 'before; absent when nothing was known',
      ecs: 'from',
    },
    to: { type: 'object', object: idsObject, doc: 'afterwards', ecs: 'to' },
  },
}

const processSpec: EventSpec<ProcessEvent, ProcessSummary> = {
  kind: 'process',
  activities: processActivities,
  class: ProcessChange,
  doc: 'One or more of a process’s fork, exec, exit, id and name changes that happened close together',
  subject: ({ process }) => process.pid,
  // Without an exec its program is that of an earlier event, or of its parent.
  repeats: ({ actions }) => !actions.includes('exec'),
  isFailure: ({ actions, process }) =>
    actions.includes('exit') && (process.exitSignal !== undefined || (process.exitCode ?? 0) !== 0),
  runNs: durationOf,
  fields: {
    actions: {
      type: 'words',
      words: ['fork', 'exec', 'exit', 'idChange', 'commChange'],
      doc: 'what happened, one or more, in this order',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    idChange: {
      type: 'object',
      object: idChangeObject,
      doc: 'ids before and after',
      dump: { at: 'IDCH', type: 'string', value: changesOf },
      ecs: 'quark.id_change',
    },
    execChange: {
      type: 'object',
      object: execChangeObject,
      doc: 'who wrote what it executed, if that was its own session or tree; only with `execChanges`',
      ecs: 'quark.exec_change',
    },
    process: { ...processAfterwards, isAlwaysKnown: true },
  },
  text: processText,
  summary: processSummary,
  dump: { title: ({ actions }) => actions.map((action) => TITLES[action]).join('+') },
  ecs: {
    action: ({ actions }) => actionOf(actions),
    category: CATEGORY,
    type: ({ actions }) => typesOf(actions),
    dataset: DATASET,
    duration: durationOf,
    rows: [
      {
        what: 'fork, exec, exit and their combinations',
        action:
          '`process`, then `-forked`, `-executed`, `-exited` as they apply: `process-forked-executed-exited`',
        type: '`start` for fork and exec, `end` for exit',
      },
      { what: 'change of ids, alone', action: '`process-id-changed`', type: '`change`' },
      { what: 'change of comm, alone', action: '`process-renamed`', type: '`change`' },
      { what: 'both changes', action: '`process-id-changed-renamed`', type: '`change`' },
      {
        what: 'changes together with fork, exec or exit',
        action: 'as without them',
        type: '`change` too',
      },
    ],
  },
}

function durationOf({ actions, process }: ProcessEvent): bigint | undefined {
  return actions.includes('exit') ? process.durationNs : undefined
}

const TITLES: Readonly<Record<ProcessAction, string>> = {
  fork: 'FORK',
  exec: 'EXEC',
  exit: 'EXIT',
  idChange: 'ID_CHANGE',
  commChange: 'SETPROCTITLE',
}

const CHANGED_IDS = {
  sid: ['sid'],
  uid: ['uid', 'euid', 'suid'],
  gid: ['gid', 'egid', 'sgid'],
} as const

/** `uid=0->1000 euid=0->0`. */
function changesOf({ idChange }: ProcessEvent): string | undefined {
  if (idChange === undefined) return undefined
  const { changed, from, to } = idChange
  const ids = changed.flatMap((call) => CHANGED_IDS[call])
  return ids.length === 0 ? undefined : ids.map((id) => `${id}=${from[id] ?? '?'}->${to[id]}`).join(' ')
}

function actionOf(actions: readonly ProcessAction[]): string {
  const forked = actions.includes('fork') ? '-forked' : ''
  const executed = actions.includes('exec') ? '-executed' : ''
  const exited = actions.includes('exit') ? '-exited' : ''
  const life = forked + executed + exited
  // Changes are only named when nothing else happened: rules match on the names that fork, exec and exit make.
  if (life !== '') return `process${life}`
  const changed = actions.includes('idChange') ? '-id-changed' : ''
  const renamed = actions.includes('commChange') ? '-renamed' : ''
  return `process${changed}${renamed}`
}

function typesOf(actions: readonly ProcessAction[]): string[] {
  const types: string[] = []
  if (actions.includes('fork') || actions.includes('exec')) types.push('start')
  if (actions.includes('idChange') || actions.includes('commChange')) types.push('change')
  if (actions.includes('exit')) types.push('end')
  return types
}

const snapshotSpec: EventSpec<SnapshotEvent> = {
  kind: 'snapshot',
  doc: 'A process that was there when the queue was opened',
  madeWith: 'snapshot',
  subject: ({ process }) => process.pid,
  fields: { process: { ...processAfterwards, isAlwaysKnown: true } },
  text: snapshotText,
  dump: { title: () => undefined },
  ecs: { action: 'process-snapshot', kind: 'state', category: CATEGORY, type: ['info'], dataset: DATASET },
}

/** A pid for documents without a process. */
const callerPid: FieldSpec<ThreadEvent | ExecFailedEvent> = {
  type: 'pid',
  doc: 'of the process',
  isAlwaysKnown: true,
  ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
}

const threadSpec: EventSpec<ThreadEvent> = {
  kind: 'thread',
  doc: 'A thread other than the first began or ended',
  madeWith: 'threads',
  subject: ({ pid }) => pid,
  repeats: () => true,
  fields: {
    action: { type: 'word', words: ['fork', 'exit'], doc: 'what happened', isAlwaysKnown: true },
    pid: callerPid,
    tid: {
      type: 'pid',
      doc: 'of the thread',
      isAlwaysKnown: true,
      dump: 'THRD tid',
      ecs: 'process.thread.id',
      attribute: 'thread.id',
    },
    comm: {
      type: 'string',
      doc: 'of the thread',
      dump: 'THRD comm',
      ecs: 'process.thread.name',
      attribute: 'thread.name',
    },
    exitCode: {
      type: 'number',
      doc: 'status that the thread ended with; absent when a signal ended it',
      dump: 'THRD exit_code',
      ecs: 'quark.thread.exit_code',
    },
    exitSignal: {
      type: 'signal',
      doc: 'the signal that ended it, with its process',
      dump: 'THRD signal',
      ecs: 'quark.thread.exit_signal',
    },
    process: processAfterwards,
  },
  text: threadText,
  dump: { title: ({ action }) => (action === 'fork' ? 'THREAD_FORK' : 'THREAD_EXIT') },
  ecs: {
    action: ({ action }) => (action === 'fork' ? 'thread-forked' : 'thread-exited'),
    category: CATEGORY,
    // Not the start or end of a process, which is what others count by these types.
    type: ['change'],
    dataset: DATASET,
    rows: [{ what: 'thread', action: '`thread-forked`, `thread-exited`', type: '`change`' }],
  },
}

const execFailedSpec: EventSpec<ExecFailedEvent, ExecFailedSummary> = {
  kind: 'execFailed',
  doc: 'An execve(2) failed',
  madeWith: 'failedExecs',
  isFailure: () => true,
  subject: ({ pid }) => pid,
  repeats: () => true,
  fields: {
    pid: callerPid,
    tid: {
      type: 'pid',
      doc: 'of the calling thread',
      isAlwaysKnown: true,
      dump: 'FAIL tid',
      ecs: 'process.thread.id',
      attribute: 'thread.id',
    },
    filename: {
      type: 'string',
      doc: 'as the caller passed it',
      dump: 'FAIL filename',
      ecs: 'quark.exec_failed.filename',
    },
    errno: {
      type: 'errno',
      doc: 'positive: 2 is ENOENT',
      isAlwaysKnown: true,
      dump: 'FAIL errno',
      ecs: [
        { path: 'error.code', as: 'name', doc: 'why the exec failed: `ENOENT`' },
        'quark.exec_failed.errno',
      ],
    },
    process: processAfterwards,
  },
  text: execFailedText,
  summary: execFailedSummary,
  dump: { title: () => 'EXEC_FAILED', isAlarm: true, lines: ['FAIL tid errno filename'] },
  ecs: {
    action: 'process-exec-failed',
    category: CATEGORY,
    type: ['info'],
    outcome: 'failure',
    dataset: DATASET,
    paths: ['quark.exec_failed.errno', 'quark.exec_failed.filename'],
  },
}

/** In the order of the docs. */
export const processEvents = [processSpec, snapshotSpec, threadSpec, execFailedSpec] as const
