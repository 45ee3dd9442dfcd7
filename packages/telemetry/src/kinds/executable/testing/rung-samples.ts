import type { RungSamples } from '../../../testing/rung-fields.js'

/** Programs and answers are all rungs that there are. */
export const rungSamples: RungSamples = {}
