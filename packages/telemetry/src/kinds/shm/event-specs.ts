/** The declaration of the event of shared memory. */

import { basename } from 'node:path/posix'
import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import type { SharedMemoryAction, SharedMemoryEvent } from './events.js'
import { FLAGS } from './flags.js'
import { type SharedMemorySummary, sharedMemorySummary } from './summary.js'

const hexOf = (key: number): string => `0x${(key >>> 0).toString(16)}`

function activityText({ action, key, id, name, path }: SharedMemoryEvent): string {
  switch (action) {
    case 'shmget':
      return `shmget ${key === 0 || key === undefined ? 'IPC_PRIVATE' : hexOf(key)}`
    case 'shmat':
      return `shmat ${id ?? '?'}`
    case 'memfd':
      return `memfd_create ${name ?? '?'}`
    case 'open':
      return `open ${path ?? '?'}`
  }
}

const ACTIONS: Readonly<Record<SharedMemoryAction, string>> = {
  shmget: 'shared-memory-requested',
  shmat: 'shared-memory-attached',
  memfd: 'memfd-created',
  open: 'shared-memory-opened',
}

function typesOf({ action, created, errno }: SharedMemoryEvent): string[] {
  if (action === 'memfd' || (created === true && errno === undefined)) return ['creation']
  return ['access']
}

const sharedMemorySpec: EventSpec<SharedMemoryEvent, SharedMemorySummary> = {
  kind: 'sharedMemory',
  doc: 'A process made, found, attached or opened shared memory',
  subject: ({ pid }) => pid,
  repeats: () => true,
  isFailure: ({ errno }) => errno !== undefined,
  madeWith: 'sharedMemory',
  summary: sharedMemorySummary,
  fields: {
    action: {
      type: 'word',
      words: ['shmget', 'shmat', 'memfd', 'open'],
      doc: 'shmget(2), shmat(2), memfd_create(2), or a file below /dev/shm is opened, as shm_open(3) does',
      isAlwaysKnown: true,
      ecs: 'quark.shm.action',
    },
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    key: {
      type: 'number',
      min: -0x8000_0000,
      max: 0x7fff_ffff,
      doc: 'of shmget(2); 0 is IPC_PRIVATE',
      dump: {
        at: 'SHM key',
        type: 'string',
        value: ({ key }) => (key === undefined ? undefined : hexOf(key)),
      },
      ecs: 'quark.shm.key',
    },
    id: {
      type: 'number',
      min: -0x8000_0000,
      max: 0x7fff_ffff,
      doc: 'of the segment: what shmget(2) returned, and shmat(2) was given',
      dump: 'SHM id',
      ecs: 'quark.shm.id',
    },
    sizeBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'size that shmget(2) was asked for; absent beyond what a number holds',
      dump: 'SHM size',
      ecs: 'quark.shm.size_bytes',
    },
    flags: {
      type: 'words',
      words: FLAGS,
      doc: 'flags of the call; of an open there are none',
      dump: { at: 'SHM.end flags', type: 'string', value: ({ flags }) => flags?.join('|') || undefined },
      ecs: 'quark.shm.flags',
    },
    mode: {
      type: 'number',
      max: 0o777,
      doc: 'permissions that shmget(2) was asked for',
      dump: {
        at: 'SHM.end mode',
        type: 'string',
        value: ({ mode }) => (mode === undefined ? undefined : `0${mode.toString(8)}`),
      },
      ecs: 'quark.shm.mode',
    },
    created: {
      type: 'boolean',
      doc: 'this call made it; absent when that is not known',
      dump: 'SHM.end created',
      ecs: 'quark.shm.created',
    },
    writable: {
      type: 'boolean',
      doc: 'it can be written to: of shmat(2) and of an open',
      dump: 'SHM.end writable',
      ecs: 'quark.shm.writable',
    },
    name: {
      type: 'string',
      doc: 'of a memfd, as its file has it',
      dump: 'SHM name',
      ecs: {
        path: 'file.name',
        value: ({ name, path }) => name ?? (path === undefined ? undefined : basename(path)),
      },
    },
    path: { type: 'string', doc: 'of a file below /dev/shm', dump: 'SHM path', ecs: 'file.path' },
    address: {
      type: 'digits',
      doc: 'where shmat(2) put it',
      dump: {
        at: 'SHM.end address',
        type: 'string',
        value: ({ address }) => (address === undefined ? undefined : `0x${address.toString(16)}`),
      },
      ecs: 'quark.shm.address',
    },
    errno: {
      type: 'errno',
      doc: 'why shmget(2) or shmat(2) failed: 2 is ENOENT',
      dump: 'SHM.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`ENOENT`' }, 'quark.shm.errno'],
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<SharedMemoryEvent>(activityText),
    word: () => 'shm',
    words: {
      shm: { doc: 'a process makes, finds or attaches shared memory (`--shared-memory`)', tone: 'began' },
    },
    notes: [
      {
        label: 'new',
        type: 'flag',
        value: ({ created }) => created === true,
        doc: 'this call made the shared memory',
        example: 'new',
      },
      {
        label: '',
        type: 'size',
        value: ({ sizeBytes }) => sizeBytes,
        doc: 'size that shmget(2) was asked for',
        example: '64.0K',
      },
      {
        label: '',
        type: 'string',
        value: ({ flags }) => flags?.join('|') || undefined,
        doc: 'flags of a call about shared memory',
        example: "'IPC_CREAT|IPC_EXCL'",
      },
      {
        label: '',
        type: 'errno',
        value: ({ errno }) => errno,
        tone: 'wrong',
        doc: 'why shmget(2) or shmat(2) failed',
        example: 'ENOENT',
      },
    ],
  },
  dump: { title: () => 'SHM', lines: ['SHM key id size name path', 'SHM.end'] },
  ecs: {
    action: ({ action }) => ACTIONS[action],
    category: ['file'],
    type: typesOf,
    dataset: 'quark.shm',
    paths: ['file', 'quark.shm'],
    rows: [
      {
        what: 'shared memory',
        action:
          '`shared-memory-requested`, `shared-memory-attached`, `memfd-created`, `shared-memory-opened`',
        type: '`creation` if this call made it, else `access`',
      },
    ],
  },
}

export const shmEvents = [sharedMemorySpec] as const
