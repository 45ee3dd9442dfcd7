import type { RungSamples } from '../../../testing/rung-fields.js'

/** Programs and sources declare themselves what they fill. */
export const rungSamples: RungSamples = {}
