/** The event of a changed priority. */

import type { BaseEvent } from '../../../event/event.js'
import type { Forms } from '../../../event/forms.js'
import type { EventSpec } from '../../../event/spec.js'
import type { Process } from '../../../process/process.js'
import type { Relatives } from '../../../process/relatives.js'
import { processObject } from '../../../process/spec.js'
import { programMember } from '../../../process/summary.js'
import { processColumns } from '../../../process/text.js'

/** Whose priorities there are, in the order of their numbers (setpriority(2)). */
export const TARGETS = ['process', 'group', 'user'] as const

/** A process set a priority. */
export interface PriorityEvent extends BaseEvent, Forms<PriorityEvent> {
  readonly kind: 'priority'
  readonly target: (typeof TARGETS)[number]
  /** Number of the process, group or user; 0 is the one of the caller. */
  readonly who: number
  readonly nice: number
  /** Undefined when it was not known. */
  readonly before: number | undefined
  /** What was written about it. */
  readonly note: string | undefined
  /** The caller. */
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}

/** What a summary says of priorities. */
export interface PrioritySummary {
  /** Absent as long as none was set. */
  readonly priorities?: number
  /** Programs by how often they set one. */
  readonly mostPriorities?: readonly { readonly command: string; readonly value: number }[]
}

const prioritySpec: EventSpec<PriorityEvent, PrioritySummary> = {
  kind: 'priority',
  doc: 'A process set the priority of a process, a group of processes, or a user',
  subject: ({ process }) => process?.pid ?? 0,
  fields: {
    target: {
      type: 'word',
      words: TARGETS,
      doc: 'whose priority it is',
      isAlwaysKnown: true,
      dump: 'PRIO target',
      ecs: 'quark.priority.target',
    },
    who: {
      type: 'number',
      doc: 'number of the process, group or user; 0 is that of the caller',
      isAlwaysKnown: true,
      dump: 'PRIO who',
      ecs: 'quark.priority.who',
    },
    nice: {
      type: 'number',
      doc: 'priority afterwards, from -20, the highest, to 19',
      isAlwaysKnown: true,
      dump: 'PRIO nice',
      ecs: 'quark.priority.nice',
    },
    before: { type: 'number', doc: 'priority before', dump: 'PRIO before', ecs: 'quark.priority.before' },
    note: {
      type: 'string',
      doc: 'what somebody wrote about it',
      mayHoldSecrets: true,
      dump: 'NOTE text',
      ecs: 'quark.priority.note',
    },
    process: { type: 'object', object: processObject, doc: 'the caller' },
  },
  text: {
    ...processColumns,
    word: () => 'nice',
    words: { nice: { doc: 'a process set a priority', tone: 'changed' } },
    notes: [
      {
        label: 'of ',
        type: 'word',
        value: ({ target }) => target,
        doc: 'whose priority it is',
        example: 'of group 77',
      },
      {
        label: '',
        type: 'number',
        gap: ' ',
        value: ({ who }) => who,
        doc: 'its number',
        example: '77',
      },
      {
        label: 'nice ',
        type: 'number',
        value: ({ nice }) => nice,
        before: ({ before }) => before,
        doc: 'the priority before and afterwards',
        example: 'nice 0→10',
      },
      {
        label: '',
        type: 'string',
        value: ({ note }) => note,
        doc: 'what somebody wrote about it',
        example: "'a note'",
      },
    ],
  },
  summary: {
    counts: [
      { at: 'priorities', doc: 'that were set', of: () => 1, text: ['priority set', 'priorities set'] },
    ],
    lists: [
      {
        type: 'sums',
        at: 'mostPriorities',
        title: 'Set priorities most',
        doc: 'programs by how often they set a priority',
        members: [programMember],
        numbers: [{ name: 'value', doc: 'how often', unit: 'count', of: () => 1 }],
      },
    ],
  },
  dump: { title: () => 'PRIORITY' },
  ecs: { action: 'priority-set', category: ['process'], type: ['change'], dataset: 'quark.priority' },
}

export const priorityEvents = [prioritySpec] as const
