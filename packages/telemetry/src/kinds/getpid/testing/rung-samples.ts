import type { RungSamples } from '../../../testing/rung-fields.js'

/** No rung needs samples. */
export const rungSamples: RungSamples = {}
