import type { Kind, RecordType } from '../kind.js'
import { applyAccess } from './apply.js'
import { processAccessEvents } from './event-specs.js'
import { processAccessFacts } from './facts.js'
import { processAccessOptions } from './options.js'
import { accessLayout, PROCESS_ACCESS_KIND } from './records.js'

const records = [
  { name: 'processAccess', layout: accessLayout, standsAlone: true, apply: applyAccess, colour: 'coral' },
] satisfies RecordType[]

/** Access of processes to memory and files of others. */
export const processAccessKind: Kind<typeof processAccessOptions, typeof processAccessEvents> = {
  name: 'processAccess',
  number: PROCESS_ACCESS_KIND,
  ringShare: 0.25,
  options: processAccessOptions,
  facts: processAccessFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: {
    processMemory: 'memory that processes read from or write to others',
    processDescriptors: 'descriptors that processes copy from others',
    processMemoryFiles: 'opens of /proc/PID/mem',
  },
  events: processAccessEvents,
}
