import type { Kind, RecordType } from '../kind.js'
import { applyGetpid } from './apply.js'
import { getpidEvents } from './event-specs.js'
import { getpidFacts } from './facts.js'
import { getpidOptions } from './options.js'
import { GETPID_KIND, getpidLayout } from './records.js'

const records = [
  { name: 'getpid', layout: getpidLayout, standsAlone: true, apply: applyGetpid, colour: 'gray' },
] satisfies RecordType[]

/** Calls of getpid(2), for benchmarks. */
export const getpidKind: Kind<typeof getpidOptions, typeof getpidEvents> = {
  name: 'getpid',
  number: GETPID_KIND,
  ringShare: 0.25,
  options: getpidOptions,
  facts: getpidFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: { getpid: 'calls of getpid(2)' },
  events: getpidEvents,
}
