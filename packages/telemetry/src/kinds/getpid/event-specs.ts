/** The declaration of the event of a call of getpid(2). */

import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import type { GetpidEvent } from './events.js'
import { type GetpidSummary, getpidSummary } from './summary.js'

const getpidSpec: EventSpec<GetpidEvent, GetpidSummary> = {
  kind: 'getpid',
  doc: 'A process called getpid(2)',
  subject: ({ pid }) => pid,
  repeats: () => true,
  summary: getpidSummary,
  fields: {
    pid: {
      type: 'pid',
      doc: 'of the process',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<GetpidEvent>(() => 'getpid'),
    word: () => 'gpid',
    words: { gpid: { doc: 'a process called getpid(2) (`--getpid`)', tone: 'quiet' } },
  },
  dump: { title: () => 'GETPID' },
  ecs: { action: 'getpid-called', category: ['process'], type: ['info'], dataset: 'quark.getpid' },
}

export const getpidEvents = [getpidSpec] as const
