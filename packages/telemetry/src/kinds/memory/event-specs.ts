/** The declaration of the event of memory that becomes executable. */

import { basename } from 'node:path/posix'
import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import { CALLS, type ExecutableMemoryEvent } from './events.js'
import { type ExecutableMemorySummary, executableMemorySummary } from './summary.js'

const executableSpec: EventSpec<ExecutableMemoryEvent, ExecutableMemorySummary> = {
  kind: 'executableMemory',
  doc: 'A process made memory executable: the first time by this call, and with this writability, since its last exec',
  subject: ({ pid }) => pid,
  repeats: () => true,
  madeWith: 'executableMemory',
  summary: executableMemorySummary,
  fields: {
    call: {
      type: 'word',
      words: CALLS,
      doc: 'the system call',
      isAlwaysKnown: true,
      dump: 'MEM call',
      ecs: 'quark.memory.call',
    },
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    writable: {
      type: 'flag',
      doc: 'it can be written to at the same time',
      dump: 'MEM writable',
      ecs: 'quark.memory.writable',
    },
    implied: {
      type: 'flag',
      doc: 'the call did not ask for it: what the process can read it can execute (READ_IMPLIES_EXEC)',
      dump: 'MEM implied',
      ecs: 'quark.memory.implied',
    },
    address: {
      type: 'digits',
      doc: 'where it begins',
      isAlwaysKnown: true,
      dump: { at: 'MEM address', type: 'string', value: ({ address }) => `0x${address.toString(16)}` },
      ecs: 'quark.memory.address',
    },
    sizeBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'how much of it the call named; absent of shmat(2)',
      dump: 'MEM size',
      ecs: 'quark.memory.size_bytes',
    },
    file: {
      type: 'string',
      doc: 'file of mmap(2); absent of anonymous memory',
      dump: 'MEM.end file',
      ecs: [
        'file.path',
        {
          path: 'file.name',
          value: ({ file }) => (file === undefined ? undefined : basename(file) || undefined),
        },
      ],
    },
    segment: {
      type: 'number',
      doc: 'id of the segment that shmat(2) attached',
      dump: 'MEM.end segment',
      ecs: 'quark.memory.segment',
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<ExecutableMemoryEvent>(({ call, file }) =>
      file === undefined ? call : `${call} ${file}`,
    ),
    word: () => 'xmem',
    words: {
      xmem: { doc: 'a process made memory executable (`--executable-memory`)', tone: 'changed' },
    },
    notes: [
      {
        label: 'writable',
        type: 'flag',
        value: ({ writable }) => writable,
        tone: 'wrong',
        doc: 'the memory can be written to and executed at once',
        example: 'writable',
      },
      {
        label: 'implied',
        type: 'flag',
        value: ({ implied }) => implied,
        doc: 'all that the process can read can be executed',
        example: 'implied',
      },
      {
        label: '',
        type: 'size',
        value: ({ sizeBytes }) => sizeBytes,
        doc: 'how much memory the call named',
        example: '64.0K',
      },
    ],
  },
  dump: { title: () => 'EXECUTABLE_MEMORY', lines: ['MEM', 'MEM.end'] },
  ecs: {
    action: 'memory-made-executable',
    category: ['process'],
    type: ['change'],
    dataset: 'quark.memory',
    paths: ['file', 'quark.memory'],
  },
}

export const memoryEvents = [executableSpec] as const
