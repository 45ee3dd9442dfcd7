import type { Kind, RecordType } from '../kind.js'
import { applyContent, applyExecuted, askEarly, joinExecuted, learn, nextEvent } from './apply.js'
import { executableEvents } from './events.js'
import { executableFacts } from './facts.js'
import { executableOptions } from './options.js'
import { contentLayout, EXECUTABLE_KIND, executedLayout } from './records.js'
import { scanExecutables } from './scan.js'
import { ExecutableTable } from './table.js'

const WAITING = { text: 'a full queue of answers', reason: 'it is asked for again' }

const records = [
  {
    name: 'executed',
    layout: executedLayout,
    chain: 'process',
    learn: askEarly,
    apply: applyExecuted,
    applyJoined: joinExecuted,
    colour: 'lightsteelblue',
  },
  {
    name: 'executableContent',
    layout: contentLayout,
    learn,
    apply: applyContent,
    more: nextEvent,
    queue: WAITING,
  },
] satisfies RecordType[]

/** Which files are executed, and what is in them: part of events of execs as far as it is known by then. */
export const executableKind: Kind<typeof executableOptions, typeof executableEvents> = {
  name: 'executable',
  number: EXECUTABLE_KIND,
  ringShare: 0.25,
  options: executableOptions,
  facts: executableFacts,
  scan: scanExecutables,
  table: ({ settings, inquiries }) =>
    new ExecutableTable(settings.maxExecutables, (file) => inquiries?.askedFile?.(file)),
  records,
  joins: {
    default: [
      ['fork', 'executed', 'always'],
      ['exec', 'executed', 'always'],
      ['snapshot', 'executed', 'always'],
    ],
    // It is no event of its own.
    minimal: [
      ['exec', 'executed', 'always'],
      ['snapshot', 'executed', 'always'],
    ],
  },
  factLabels: {
    executables: 'executed files',
    packages: 'packages of executed files',
    olderExecutables: 'what processes execute that exist already',
  },
  events: executableEvents,
}
