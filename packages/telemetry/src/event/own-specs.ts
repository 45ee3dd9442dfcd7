/** The events that are quark's own, and of no kind. */

import type { LostCause, LostEvent } from './event.js'
import { RawEvent } from './raw-event.js'
import type { EventSpec } from './spec.js'

const CAUSES: Readonly<Record<LostCause, string>> = {
  ringFull: 'the ring or another queue was full',
  rejected: 'they are broken',
  recursion: 'the kernel skipped a program while one was running on that CPU',
  evicted: 'the table was full',
  unseen: 'the kernel counted them, and no program saw them',
}

/** What the report of a summary says of losses. */
export interface LostSummary {
  /** Records that were lost meanwhile. */
  readonly lost: number
}

export const lostSpec: EventSpec<LostEvent, LostSummary> = {
  kind: 'lost',
  doc: 'Records were lost between the event before and this one',
  subject: () => 0,
  fields: {
    cause: {
      type: 'word',
      words: ['ringFull', 'rejected', 'recursion', 'evicted', 'unseen'],
      doc: 'where: the ring or another queue was full, a record was broken, a program did not run, a table was full, or the kernel counted what no program saw',
      isAlwaysKnown: true,
      dump: 'LOST cause',
      ecs: 'quark.lost.cause',
    },
    count: {
      type: 'number',
      doc: 'records that are missing since the event before',
      isAlwaysKnown: true,
      dump: 'LOST count',
      ecs: 'quark.lost.count',
    },
    cpu: {
      type: 'number',
      doc: 'CPU whose records are missing, when it is known',
      dump: 'LOST cpu',
      ecs: 'quark.lost.cpu',
    },
    uid: {
      type: 'number',
      doc: 'real uid of the processes that ran when the ring was full, when it is known',
      dump: 'LOST uid',
      ecs: 'quark.lost.uid',
    },
    table: {
      type: 'string',
      doc: 'kind whose table had no room, unless that is the table of processes; kind of what was not seen',
      dump: 'LOST table',
      ecs: 'quark.lost.table',
    },
  },
  text: {
    word: () => 'lost',
    words: { lost: { doc: 'records were lost here, between the line before and this one', tone: 'wrong' } },
    sentence: ({ count, cause }) => `${count} ${count === 1 ? 'record' : 'records'}: ${CAUSES[cause]}`,
    notes: [
      {
        label: 'CPU ',
        type: 'number',
        value: ({ cpu }) => cpu,
        doc: 'whose records are missing, when it is known',
        example: 'CPU 3',
      },
      {
        label: 'of user ',
        type: 'uid',
        value: ({ uid }) => uid,
        doc: 'whose processes ran when the ring was full, when it is known',
        example: 'of user ann',
      },
      {
        label: 'table ',
        type: 'string',
        value: ({ table }) => table,
        doc: 'which table had no room, unless it is that of the processes',
        example: 'table cgroup',
      },
    ],
  },
  dump: { title: () => 'LOST', isAlarm: true },
  summary: {
    counts: [
      {
        at: 'lost',
        doc: 'records that were lost',
        of: ({ count }) => count,
        text: 'records were lost: some of what follows is too small',
        none: 'nothing was lost',
        isAlways: true,
      },
    ],
  },
  ecs: { action: 'records-lost', category: ['process'], type: ['info'], dataset: 'quark.process' },
}

export const rawSpec: EventSpec<RawEvent> = {
  kind: 'raw',
  class: RawEvent,
  doc: 'A record as the kernel side wrote it, in bypass mode',
  subject: () => 0,
  fields: {
    name: { type: 'string', doc: 'name of the record type', isAlwaysKnown: true },
    bytes: { type: 'bytes', doc: 'the record, header included', isAlwaysKnown: true },
  },
  text: {
    word: () => 'raw',
    words: { raw: { doc: 'a record as the kernel side wrote it, in bypass mode', tone: 'quiet' } },
    sentence: ({ name }) => name,
  },
}

/** Kinds of the ends of a stream, which no queue delivers. */
export const STREAM_KINDS = ['start', 'end'] as const

/** In the order of the docs. */
export const ownSpecs = [lostSpec, rawSpec] as const
