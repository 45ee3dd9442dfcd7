import { join } from '../../event/join.js'
import type { Kind, RecordType } from '../kind.js'
import { applyTty, isContinued } from './apply.js'
import { ttyEvents } from './event-specs.js'
import { ttyFacts } from './facts.js'
import { ttyOptions } from './options.js'
import { TTY_KIND, ttyLayout } from './records.js'

/** Records of one terminal are chained. */
const key = ['ttyMajor', 'ttyMinor', 'devpts']

const written = {
  name: 'ttyWrite',
  layout: ttyLayout,
  key,
  apply: applyTty,
  secrets: { data: 'terminal' },
  colour: 'lightcyan',
} as const

/** What is written to terminals. */
export const ttyKind: Kind<typeof ttyOptions, typeof ttyEvents> = {
  name: 'tty',
  number: TTY_KIND,
  ringShare: 0.25,
  options: ttyOptions,
  facts: ttyFacts,
  records: [written] satisfies RecordType[],
  joins: { default: [join(written, written, isContinued)], minimal: [] },
  factLabels: { ttyWrites: 'what is written to terminals' },
  events: ttyEvents,
}
