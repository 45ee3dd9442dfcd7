/** The event of a file that is written and then executed, where no event of the exec has it. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { EventSpec } from '../../event/spec.js'
import { type ExecChange, execChangeNotes, execChangeObject } from '../../process/exec-change.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import { processObject } from '../../process/spec.js'
import { processColumns } from '../../process/text.js'

/** A process has executed what its own session or tree wrote before; the event of the exec was delivered already. */
export interface ExecChangeEvent extends BaseEvent, Forms<ExecChangeEvent> {
  readonly kind: 'execChange'
  readonly pid: number
  readonly execChange: ExecChange
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}

const execChangeSpec: EventSpec<ExecChangeEvent> = {
  kind: 'execChange',
  doc: 'A process has executed what its own session or tree wrote before; its `process` event was delivered already',
  madeWith: 'execChanges',
  subject: ({ pid }) => pid,
  repeats: () => true,
  fields: {
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    execChange: {
      type: 'object',
      object: execChangeObject,
      doc: 'who wrote it, and when',
      isAlwaysKnown: true,
      ecs: 'quark.exec_change',
    },
    process: { type: 'object', object: processObject, doc: 'the process' },
  },
  text: {
    ...processColumns,
    word: () => 'own',
    words: {
      own: {
        doc: 'a process has executed what its own session wrote before (`--exec-changes`); mostly that is a note of its exec',
        tone: 'changed',
      },
    },
    notes: execChangeNotes,
  },
  dump: { title: () => 'EXEC_CHANGE' },
  ecs: { action: 'process-exec-changed', category: ['process'], type: ['info'], dataset: 'quark.process' },
}

export const execChangeEvents = [execChangeSpec] as const
