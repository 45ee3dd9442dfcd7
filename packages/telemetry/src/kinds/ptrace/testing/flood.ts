import type { Flood } from '../../../testing/flood.js'
import { numberOf } from '../../../testing/raw-calls.js'

const ATTACH = 16
const NOBODY = 2 ** 22 - 1

/** Calls that fail: they are events, too. */
export const flood: Flood = {
  options: { ptrace: true },
  event: 'ptrace',
  records: ['ptrace'],
  steps: [[numberOf('ptrace'), ATTACH, NOBODY, 0, 0]],
}
