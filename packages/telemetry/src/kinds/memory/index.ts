import type { Kind, RecordType } from '../kind.js'
import { applyExecutable, applyExecutableMap } from './apply.js'
import { memoryEvents } from './event-specs.js'
import { memoryFacts } from './facts.js'
import { memoryOptions } from './options.js'
import { executableLayout, executableMapLayout, MEMORY_KIND } from './records.js'

const records = [
  {
    name: 'executable',
    layout: executableLayout,
    standsAlone: true,
    apply: applyExecutable,
    colour: 'tomato',
  },
  {
    name: 'executableMap',
    layout: executableMapLayout,
    standsAlone: true,
    apply: applyExecutableMap,
    colour: 'tomato',
  },
] satisfies RecordType[]

/** Memory that becomes executable. */
export const memoryKind: Kind<typeof memoryOptions, typeof memoryEvents> = {
  name: 'memory',
  number: MEMORY_KIND,
  ringShare: 0.25,
  options: memoryOptions,
  facts: memoryFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: { executableMemory: 'memory that becomes executable' },
  events: memoryEvents,
}
