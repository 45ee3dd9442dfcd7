import type { RungSamples } from '../../../testing/rung-fields.js'
import { foundLayout } from '../records.js'

/** All that the walk finds is known; when a socket was opened nobody can tell. */
const { sinceNs: _sinceNs, ...values } = foundLayout.at

export const rungSamples: RungSamples = { scanned: { layout: foundLayout, values } }
