import { join } from '../../../event/join.js'
import type { Kind, RecordType } from '../../kind.js'
import { applyFound, applyNote, applyPriority } from './apply.js'
import { priorityEvents } from './events.js'
import { priorityFacts } from './facts.js'
import { priorityOptions } from './options.js'
import { foundLayout, noteLayout, PRIORITY_KIND, priorityLayout } from './records.js'
import { scanPriorities } from './scan.js'
import { PriorityTable } from './table.js'

/** Records are chained by whose priority they are about. */
const key = ['which', 'who']

const priority = {
  name: 'priority',
  layout: priorityLayout,
  key,
  apply: applyPriority,
  colour: 'gold',
} as const
const note = { name: 'priorityNote', layout: noteLayout, key, apply: applyNote } as const
const found = { name: 'priorityFound', layout: foundLayout, key, apply: applyFound, isOwn: true } as const

/** Changes of priorities, with what somebody writes about them. */
export const priorityKind: Kind<typeof priorityOptions, typeof priorityEvents> = {
  name: 'priority',
  number: PRIORITY_KIND,
  ringShare: 0.25,
  options: priorityOptions,
  facts: priorityFacts,
  scan: scanPriorities,
  table: ({ settings }) => new PriorityTable(settings.maxPriorities),
  records: [priority, note, found] satisfies RecordType[],
  joins: {
    // A note is about the priority that it names, and not about the next one.
    default: [join(priority, note, ({ parent, child }) => parent.fields.nice === child.fields.nice)],
    minimal: [],
  },
  factLabels: { priorities: 'changes of priorities', priorityNotes: 'notes about priorities' },
  limits: [{ counter: 'evicted', text: 'priorities were forgotten too early', option: 'maxPriorities' }],
  events: priorityEvents,
}
