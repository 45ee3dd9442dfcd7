import type { Kind, RecordType } from '../kind.js'
import { applyDenied, applyOpened } from './apply.js'
import { fileAccessEvents } from './event-specs.js'
import { fileAccessFacts } from './facts.js'
import { fileAccessOptions } from './options.js'
import { deniedLayout, FILE_ACCESS_KIND, openedLayout } from './records.js'
import { resolvedPlaces } from './places.js'
import { AccessTable } from './table.js'

const records = [
  { name: 'fileOpened', layout: openedLayout, standsAlone: true, apply: applyOpened, colour: 'mistyrose' },
  { name: 'fileDenied', layout: deniedLayout, apply: applyDenied, colour: 'tomato' },
] satisfies RecordType[]

/** Who opens sensitive files. */
export const fileAccessKind: Kind<typeof fileAccessOptions, typeof fileAccessEvents> = {
  name: 'fileAccess',
  number: FILE_ACCESS_KIND,
  ringShare: 0.25,
  options: fileAccessOptions,
  resolve: ({ fileAccess }) => ({ fileAccess: resolvedPlaces(fileAccess) }),
  facts: fileAccessFacts,
  table: ({ settings }) => new AccessTable(settings.fileAccess === false ? true : settings.fileAccess),
  records,
  joins: { default: [], minimal: [] },
  factLabels: { fileAccess: 'who opens sensitive files' },
  events: fileAccessEvents,
}
