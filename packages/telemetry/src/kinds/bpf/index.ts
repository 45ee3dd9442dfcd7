import type { Kind, RecordType } from '../kind.js'
import { applyBpf } from './apply.js'
import { bpfEvents } from './event-specs.js'
import { bpfFacts } from './facts.js'
import { bpfOptions } from './options.js'
import { BPF_KIND, bpfLayout } from './records.js'

const records = [
  { name: 'bpf', layout: bpfLayout, standsAlone: true, apply: applyBpf, colour: 'gold' },
] satisfies RecordType[]

/** BPF programs that others load and attach. */
export const bpfKind: Kind<typeof bpfOptions, typeof bpfEvents> = {
  name: 'bpf',
  number: BPF_KIND,
  ringShare: 0.25,
  options: bpfOptions,
  facts: bpfFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: { bpf: 'BPF programs that others load and attach' },
  events: bpfEvents,
}
