import type { RungSamples } from '../../../testing/rung-fields.js'

/** Programs are all rungs that there are. */
export const rungSamples: RungSamples = {}
