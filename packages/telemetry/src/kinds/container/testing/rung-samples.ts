import type { RungSamples } from '../../../testing/rung-fields.js'

/** Answers are all rungs that there are: asker.test.ts and kubernetes/watch.test.ts have them. */
export const rungSamples: RungSamples = {}
