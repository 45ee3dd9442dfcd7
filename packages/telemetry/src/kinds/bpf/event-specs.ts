/** The declaration of the event of a BPF program that is loaded or attached. */

import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import type { BpfCommand, BpfEvent } from './events.js'
import { ATTACH_TYPES, COMMANDS, LINK_TYPES, PROGRAM_TYPES } from './names.js'
import { type BpfSummary, bpfSummary } from './summary.js'

const ACTIONS: Readonly<Record<BpfCommand, string>> = {
  PROG_LOAD: 'bpf-program-loaded',
  PROG_ATTACH: 'bpf-program-attached',
  PROG_DETACH: 'bpf-program-detached',
  RAW_TRACEPOINT_OPEN: 'bpf-link-created',
  LINK_CREATE: 'bpf-link-created',
  LINK_DETACH: 'bpf-link-detached',
}

const TYPES: Readonly<Record<BpfCommand, string>> = {
  PROG_LOAD: 'start',
  PROG_ATTACH: 'change',
  PROG_DETACH: 'change',
  RAW_TRACEPOINT_OPEN: 'change',
  LINK_CREATE: 'change',
  LINK_DETACH: 'change',
}

function activityText({ command, programType, attachType, name, programId }: BpfEvent): string {
  const what = [programType, attachType === programType ? undefined : attachType, name ?? programId]
  return [command, ...what.filter((part) => part !== undefined)].join(' ')
}

const bpfSpec: EventSpec<BpfEvent, BpfSummary> = {
  kind: 'bpf',
  doc: 'A process loaded, attached or detached a BPF program; what the queue itself does is left out',
  subject: ({ pid }) => pid,
  repeats: () => true,
  isFailure: ({ errno }) => errno !== undefined,
  madeWith: 'bpf',
  summary: bpfSummary,
  fields: {
    command: {
      type: 'word',
      words: Object.values(COMMANDS),
      doc: 'command of bpf(2)',
      isAlwaysKnown: true,
      dump: 'BPF command',
      ecs: 'quark.bpf.command',
    },
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    programType: {
      type: 'word',
      words: PROGRAM_TYPES,
      doc: 'type of the program',
      dump: 'BPF type',
      ecs: 'quark.bpf.program.type',
    },
    attachType: {
      type: 'word',
      words: ATTACH_TYPES,
      doc: 'to what it is attached, or is to be',
      dump: 'BPF attach_type',
      ecs: 'quark.bpf.attach_type',
    },
    programId: {
      type: 'number',
      doc: 'id of the program, as bpftool shows it',
      dump: 'BPF program',
      ecs: 'quark.bpf.program.id',
    },
    name: {
      type: 'string',
      doc: 'name of the program; if it was refused, as the caller passed it',
      dump: 'BPF name',
      ecs: 'quark.bpf.program.name',
    },
    instructions: {
      type: 'number',
      doc: 'instructions of the program, as the verifier left them',
      dump: 'BPF.end instructions',
      ecs: 'quark.bpf.program.instructions',
    },
    linkId: { type: 'number', doc: 'id of the link', dump: 'BPF.end link', ecs: 'quark.bpf.link.id' },
    linkType: {
      type: 'word',
      words: LINK_TYPES,
      doc: 'type of the link',
      dump: 'BPF.end link_type',
      ecs: 'quark.bpf.link.type',
    },
    errno: {
      type: 'errno',
      doc: 'why it failed: 13 is EACCES, of a program that the verifier refused',
      dump: 'BPF.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`EACCES`' }, 'quark.bpf.errno'],
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<BpfEvent>(activityText),
    word: () => 'bpf',
    words: { bpf: { doc: 'a process loads or attaches a BPF program (`--bpf`)', tone: 'changed' } },
    notes: [
      {
        label: 'program ',
        type: 'number',
        value: ({ programId }) => programId,
        doc: 'id of a BPF program',
        example: 'program 12',
      },
      {
        label: 'link ',
        type: 'number',
        value: ({ linkId }) => linkId,
        doc: 'id of a BPF link',
        example: 'link 7',
      },
      {
        label: '',
        type: 'errno',
        value: ({ errno }) => errno,
        tone: 'wrong',
        doc: 'why bpf(2) failed',
        example: 'EACCES',
      },
    ],
  },
  dump: { title: () => 'BPF', lines: ['BPF', 'BPF.end'] },
  ecs: {
    action: ({ command }) => ACTIONS[command],
    category: ['driver'],
    type: ({ command }) => [TYPES[command]],
    dataset: 'quark.bpf',
    rows: [
      {
        what: 'BPF program',
        action:
          '`bpf-program-loaded`, `bpf-program-attached`, `bpf-program-detached`, `bpf-link-created`, `bpf-link-detached`',
        type: '`start` of a load, else `change`',
      },
    ],
  },
}

export const bpfEvents = [bpfSpec] as const
