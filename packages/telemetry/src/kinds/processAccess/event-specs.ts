/** The declaration of the event of access to another process. */

import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { targetObject } from '../../process/target.js'
import { activityColumns } from '../../process/text.js'
import { WAYS, type ProcessAccessEvent } from './events.js'
import { type ProcessAccessSummary, processAccessSummary } from './summary.js'

const WAY_TEXTS: Readonly<Record<ProcessAccessEvent['way'], string>> = {
  process_vm_readv: 'process_vm_readv',
  process_vm_writev: 'process_vm_writev',
  pidfd_getfd: 'pidfd_getfd',
  procMem: 'open mem',
}

function activityText({ way, target, targetId }: ProcessAccessEvent): string {
  const whom = target?.comm === undefined ? (target?.pid ?? targetId ?? '?') : `${target.comm}[${target.pid}]`
  return `${WAY_TEXTS[way]} ${whom}`
}

function actionOf({ way, writing }: ProcessAccessEvent): string {
  if (way === 'pidfd_getfd') return 'process-descriptor-copied'
  if (way === 'procMem') return 'process-memory-opened'
  return writing === true ? 'process-memory-written' : 'process-memory-read'
}

const processAccessSpec: EventSpec<ProcessAccessEvent, ProcessAccessSummary> = {
  kind: 'processAccess',
  doc: 'A process read, wrote or opened the memory of another one, or took a file from it',
  subject: ({ pid }) => pid,
  repeats: () => true,
  isFailure: ({ errno }) => errno !== undefined,
  madeWith: 'processAccess',
  summary: processAccessSummary,
  fields: {
    way: {
      type: 'word',
      words: WAYS,
      doc: 'the system call, or `procMem` for an open of /proc/PID/mem',
      isAlwaysKnown: true,
      dump: 'ACCS way',
      ecs: 'quark.process_access.way',
    },
    pid: {
      type: 'pid',
      doc: 'of the process that does it',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    targetId: {
      type: 'number',
      min: -0x8000_0000,
      max: 0x7fff_ffff,
      doc: 'the target in the pid namespace of the caller: a process or thread',
      dump: { at: 'ACCS target', value: ({ target, targetId }) => target?.pid ?? targetId },
      ecs: 'quark.process_access.target_id',
    },
    targetIsLocal: {
      type: 'flag',
      doc: '`targetId` counts in a pid namespace of the caller’s own',
      dump: 'ACCS target_is_local',
      ecs: 'quark.process_access.target_is_local',
    },
    bytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'bytes that were read or written; of an open they are not known',
      dump: 'ACCS bytes',
      ecs: 'quark.process_access.bytes',
    },
    targetFd: {
      type: 'number',
      doc: 'the descriptor of the target that pidfd_getfd(2) copied',
      dump: 'ACCS target_fd',
      ecs: 'quark.process_access.target_fd',
    },
    writing: {
      type: 'boolean',
      doc: 'memory is written, or open for that; absent of pidfd_getfd(2)',
      dump: 'ACCS writing',
      ecs: 'quark.process_access.writing',
    },
    errno: {
      type: 'errno',
      doc: 'why process_vm_readv(2) or process_vm_writev(2) failed: 1 is EPERM',
      dump: 'ACCS errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`EPERM`' }, 'quark.process_access.errno'],
    },
    target: {
      type: 'object',
      object: targetObject,
      doc: 'the process of `targetId`; absent when it is not known',
      ecs: 'quark.process_access.target',
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<ProcessAccessEvent>(activityText),
    word: () => 'accs',
    words: {
      accs: {
        doc: 'a process gets at the memory or the files of another one (`--process-access`)',
        tone: 'changed',
      },
    },
    notes: [
      {
        label: '',
        type: 'size',
        value: ({ bytes }) => bytes,
        doc: 'bytes that were read from or written to another process',
        example: '64.0K',
      },
      {
        label: 'descriptor ',
        type: 'number',
        value: ({ targetFd }) => targetFd,
        doc: 'the descriptor of another process that was copied',
        example: 'descriptor 3',
      },
      {
        label: 'for writing',
        type: 'flag',
        value: ({ way, writing }) => way === 'procMem' && writing === true,
        tone: 'wrong',
        doc: 'the memory of another process is open for writing',
        example: 'for writing',
      },
      {
        label: '',
        type: 'errno',
        value: ({ errno }) => errno,
        tone: 'wrong',
        doc: 'why access to another process failed',
        example: 'EPERM',
      },
      {
        label: 'in its own pid namespace',
        type: 'flag',
        value: ({ targetIsLocal, target }) => targetIsLocal && target === undefined,
        doc: 'the number of the target counts in a pid namespace of the caller’s own',
        example: 'in its own pid namespace',
      },
    ],
  },
  dump: { title: () => 'PROCESS_ACCESS', lines: ['ACCS'] },
  ecs: {
    action: actionOf,
    category: ['process'],
    type: ({ writing }) => [writing === true ? 'change' : 'access'],
    dataset: 'quark.process_access',
    rows: [
      {
        what: 'access to another process',
        action:
          '`process-memory-read`, `process-memory-written`, `process-memory-opened`, `process-descriptor-copied`',
        type: '`change` if memory may be written, else `access`',
      },
    ],
  },
}

export const processAccessEvents = [processAccessSpec] as const
