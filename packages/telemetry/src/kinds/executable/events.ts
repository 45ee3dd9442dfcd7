/** The event of what is in an executed file, where the event of the exec was delivered without it. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { EventSpec } from '../../event/spec.js'
import { type Executable, executableObject } from '../../process/executable.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import { processObject } from '../../process/spec.js'
import { processColumns } from '../../process/text.js'

/** It is known what is in a file that a process executes; the event of the exec was delivered already. */
export interface ExecutableEvent extends BaseEvent, Forms<ExecutableEvent> {
  readonly kind: 'executable'
  /** Epoch ns at which it was learnt. */
  readonly timeNs: bigint
  readonly pid: number
  readonly executable: Executable
  /** The process; from now on its events have it. Undefined if it is not known any more. */
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}

const executableSpec: EventSpec<ExecutableEvent> = {
  kind: 'executable',
  doc: 'What is in a file that a process executes; its `process` event was delivered already',
  subject: ({ pid }) => pid,
  repeats: () => true,
  fields: {
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    executable: {
      type: 'object',
      object: executableObject,
      doc: 'the file, and what is in it',
      isAlwaysKnown: true,
      ecs: [
        { path: 'quark.file', doc: 'the file' },
        {
          path: 'file.hash.sha256',
          as: 'string',
          value: ({ executable }) => executable.sha256,
          doc: 'of its content',
        },
        {
          path: 'related.hash',
          as: 'strings',
          // Else it is that of the process.
          value: ({ executable: { sha256 }, process }) =>
            process === undefined && sha256 !== undefined ? [sha256] : undefined,
          doc: 'of its content',
        },
        { path: 'file.size', as: 'number', value: ({ executable }) => executable.sizeBytes, doc: 'its size' },
      ],
    },
    process: { type: 'object', object: processObject, doc: 'the process' },
  },
  text: {
    ...processColumns,
    word: () => 'hash',
    words: {
      hash: {
        doc: 'what is in a file that a process executes (`--executables`), known after the line of its exec',
        tone: 'quiet',
      },
    },
    notes: [
      {
        label: '',
        type: 'string',
        value: ({ executable }) => executable.sha256,
        doc: 'sha256 of the file',
        example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      },
      {
        label: 'unread: ',
        type: 'word',
        value: ({ executable }) => executable.unread,
        doc: 'why there is none',
        example: 'unread: gone',
      },
      {
        label: 'package ',
        type: 'string',
        value: ({ executable }) => executable.package?.name,
        doc: 'the package that has it (`--packages`)',
        example: 'package coreutils',
      },
    ],
  },
  dump: { title: () => 'EXECUTABLE' },
  ecs: { action: 'executable-known', category: ['process'], type: ['info'], dataset: 'quark.process' },
}

export const executableEvents = [executableSpec] as const
