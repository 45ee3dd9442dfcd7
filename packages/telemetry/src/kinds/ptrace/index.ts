import type { Kind, RecordType } from '../kind.js'
import { applyPtrace } from './apply.js'
import { ptraceEvents } from './event-specs.js'
import { ptraceFacts } from './facts.js'
import { ptraceOptions } from './options.js'
import { PTRACE_KIND, ptraceLayout } from './records.js'

const records = [
  { name: 'ptrace', layout: ptraceLayout, standsAlone: true, apply: applyPtrace, colour: 'orchid' },
] satisfies RecordType[]

/** Calls of ptrace(2). */
export const ptraceKind: Kind<typeof ptraceOptions, typeof ptraceEvents> = {
  name: 'ptrace',
  number: PTRACE_KIND,
  ringShare: 0.25,
  options: ptraceOptions,
  facts: ptraceFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: { ptrace: 'calls of ptrace(2)' },
  events: ptraceEvents,
}
