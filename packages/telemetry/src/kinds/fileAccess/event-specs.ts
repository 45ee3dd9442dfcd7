/** Declaration of the event of opening a sensitive file. */

import { fileAccessActivities } from './activities.js'
import type { EventSpec, EventTextSpec } from '../../event/spec.js'
import { pathEcs } from '../../files/paths.js'
import { processObject } from '../../process/spec.js'
import { targetObject } from '../../process/target.js'
import { processColumns } from '../../process/text.js'
import { ACCESS_ACTIONS, ACCESS_MODES, type FileAccessEvent } from './events.js'

const { uid, parentPid, parentName } = processColumns

const fileAccessText: EventTextSpec<FileAccessEvent> = {
  uid,
  parentPid,
  parentName,
  sentence: ({ process, path }) => (process?.comm === undefined ? path : `${process.comm} ${path}`),
  word: ({ action }) => (action === 'open' ? 'fopn' : 'fden'),
  words: {
    fopn: { doc: 'a process opened a sensitive file (`--file-access`)', tone: 'changed' },
    fden: { doc: 'a process was denied to open one', tone: 'wrong' },
  },
  notes: [
    {
      label: '',
      type: 'word',
      value: ({ access }) => access,
      doc: 'what the process opened it for',
      example: 'read',
    },
    {
      label: '',
      type: 'errno',
      value: ({ errno }) => errno,
      tone: 'wrong',
      doc: 'why it was denied',
      example: 'EACCES',
    },
    {
      label: 'of ',
      type: 'string',
      value: ({ target }) => target && `${target.comm ?? target.exe ?? '?'}[${target.pid}]`,
      doc: 'the process whose memory or environment it is',
      example: 'of sshd[812]',
    },
  ],
}

const fileAccessSpec: EventSpec<FileAccessEvent> = {
  kind: 'fileAccess',
  doc: 'A process opened a sensitive file for the first time, or was denied to',
  subject: ({ pid }) => pid,
  repeats: () => true,
  isFailure: ({ action }) => action === 'denied',
  activities: fileAccessActivities,
  madeWith: 'fileAccess',
  fields: {
    action: {
      type: 'word',
      words: ACCESS_ACTIONS,
      doc: 'whether it was opened or denied',
      isAlwaysKnown: true,
      dump: 'FILE.access action',
      ecs: 'quark.action',
    },
    path: {
      type: 'string',
      doc: 'path of the file, as the process sees it, below the root directory of the process if that is another one; of what was denied, as the process gave it',
      isAlwaysKnown: true,
      roles: ['path'],
      dump: 'FILE.path path',
      ecs: pathEcs,
    },
    access: {
      type: 'word',
      words: ACCESS_MODES,
      doc: 'what it was opened for; `path` is neither to read nor to write',
      isAlwaysKnown: true,
      dump: 'FILE.access access',
      ecs: 'quark.file.access',
    },
    errno: {
      type: 'errno',
      doc: 'why it was denied: 13 is EACCES',
      dump: 'FILE.access errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`EACCES`' }, 'quark.file.errno'],
    },
    unverified: {
      type: 'flag',
      doc: 'the path is only what the process gave',
      dump: 'FILE.access unverified',
      ecs: 'quark.file.unverified',
    },
    target: {
      type: 'object',
      object: targetObject,
      doc: 'the process of a file below `/proc/<pid>`',
      ecs: 'quark.target',
    },
    device: {
      type: 'string',
      doc: 'the device with the file system, major and minor: `8:1`',
      dump: 'FILE.id device',
      ecs: 'file.device',
    },
    inode: {
      type: 'digits',
      doc: 'number of the inode',
      dump: 'FILE.id inode',
      ecs: { path: 'file.inode', as: 'string', value: ({ inode }) => inode?.toString() },
    },
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: fileAccessText,
  dump: { title: () => 'FILE_ACCESS', lines: ['FILE.access', 'FILE.path', 'FILE.id'] },
  ecs: {
    action: ({ action }) => (action === 'open' ? 'file-opened' : 'file-open-denied'),
    category: ['file'],
    type: ['access'],
    dataset: 'quark.file_access',
    paths: ['file'],
    rows: [
      {
        what: 'sensitive file that is opened',
        action: '`file-opened`, or `file-open-denied`',
        type: '`access`',
      },
    ],
  },
}

export const fileAccessEvents = [fileAccessSpec] as const
