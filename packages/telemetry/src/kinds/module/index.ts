import type { Kind, RecordType } from '../kind.js'
import { applyModuleFree, applyModuleLoad } from './apply.js'
import { moduleEvents } from './event-specs.js'
import { moduleFacts } from './facts.js'
import { moduleOptions } from './options.js'
import { MODULE_KIND, moduleFreeLayout, moduleLoadLayout } from './records.js'

const records = [
  { name: 'moduleLoad', layout: moduleLoadLayout, standsAlone: true, apply: applyModuleLoad, colour: 'tan' },
  {
    name: 'moduleFree',
    layout: moduleFreeLayout,
    standsAlone: true,
    apply: applyModuleFree,
    colour: 'wheat',
  },
] satisfies RecordType[]

/** Modules that are loaded into the kernel and unloaded. */
export const moduleKind: Kind<typeof moduleOptions, typeof moduleEvents> = {
  name: 'module',
  number: MODULE_KIND,
  ringShare: 0.25,
  options: moduleOptions,
  facts: moduleFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: { moduleLoads: 'kernel modules that are loaded and unloaded' },
  events: moduleEvents,
}
