/** The declaration of the event of a module that is loaded or unloaded. */

import { basename } from 'node:path/posix'
import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import type { ModuleEvent } from './events.js'
import { TAINTS } from './taints.js'
import { type ModuleSummary, moduleSummary } from './summary.js'

const nameOf = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : basename(path) || undefined

const moduleSpec: EventSpec<ModuleEvent, ModuleSummary> = {
  kind: 'module',
  doc: 'A module was loaded into the kernel, or unloaded',
  subject: ({ pid }) => pid,
  repeats: () => true,
  isFailure: ({ initFailed }) => initFailed,
  madeWith: 'modules',
  summary: moduleSummary,
  fields: {
    action: {
      type: 'word',
      words: ['load', 'unload'],
      doc: 'a load is seen before the module initialises itself; if that fails, an unload follows',
      isAlwaysKnown: true,
      ecs: 'quark.module.action',
    },
    pid: {
      type: 'pid',
      doc: 'of the process that loads or unloads it',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    name: {
      type: 'string',
      doc: 'its name',
      isAlwaysKnown: true,
      dump: 'MODU name',
      ecs: 'quark.module.name',
    },
    version: {
      type: 'string',
      doc: 'its version, if it declares one; only of a load',
      dump: 'MODU version',
      ecs: 'quark.module.version',
    },
    srcVersion: {
      type: 'string',
      doc: 'sum of its sources, if it has one; only of a load',
      dump: 'MODU src_version',
      ecs: 'quark.module.src_version',
    },
    taints: {
      type: 'words',
      words: TAINTS,
      doc: 'what it makes the kernel, such as `unsigned`; only of a load',
      dump: { at: 'MODU.end taints', type: 'string', value: ({ taints }) => taints?.join(',') || undefined },
      ecs: 'quark.module.taints',
    },
    file: {
      type: 'string',
      doc: 'its file, as the caller of finit_module(2) has it open; only of a load',
      dump: 'MODU.end file',
      ecs: ['file.path', { path: 'file.name', value: ({ file }) => nameOf(file) }],
    },
    initFailed: {
      type: 'flag',
      doc: 'it goes since its own initialisation failed',
      dump: 'MODU.end init_failed',
      ecs: 'quark.module.init_failed',
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<ModuleEvent>(({ action, name }) => `${action}s ${name}`),
    word: ({ action }) => (action === 'load' ? 'modl' : 'modu'),
    words: {
      modl: { doc: 'a process loads a module into the kernel (`--modules`)', tone: 'changed' },
      modu: { doc: 'a module goes from the kernel', tone: 'quiet' },
    },
    notes: [
      {
        label: 'version ',
        type: 'string',
        value: ({ version }) => version,
        doc: 'the version that a module declares',
        example: 'version 1.0',
      },
      {
        label: '',
        type: 'string',
        value: ({ taints }) => taints?.join(' ') || undefined,
        tone: 'wrong',
        doc: 'what a module makes the kernel',
        example: "'outOfTree unsigned'",
      },
      {
        label: 'file ',
        type: 'string',
        value: ({ file }) => file,
        doc: 'the file of a module',
        example: 'file /root/x.ko',
      },
      {
        label: 'initialisation failed',
        type: 'flag',
        value: ({ initFailed }) => initFailed,
        tone: 'wrong',
        doc: 'a module goes since it could not be initialised',
        example: 'initialisation failed',
      },
    ],
  },
  dump: {
    title: ({ action }) => (action === 'load' ? 'MODULE_LOAD' : 'MODULE_UNLOAD'),
    lines: ['MODU name version src_version', 'MODU.end'],
  },
  ecs: {
    action: ({ action }) => `module-${action}ed`,
    category: ['driver'],
    type: ({ action }) => [action === 'load' ? 'start' : 'end'],
    dataset: 'quark.module',
    paths: ['file', 'quark.module'],
    rows: [
      {
        what: 'kernel module',
        action: '`module-loaded`, `module-unloaded`',
        type: '`start`, `end`',
      },
    ],
  },
}

export const moduleEvents = [moduleSpec] as const
