import type { Flood } from '../../../testing/flood.js'
import { numberOf } from '../../../testing/raw-calls.js'

const PROG_LOAD = 5
const ATTR_BYTES = 120

/** Programs without instructions: their load is refused. */
export const flood: Flood = {
  options: { bpf: true },
  event: 'bpf',
  records: ['bpf'],
  steps: [[numberOf('bpf'), PROG_LOAD, new Uint8Array(ATTR_BYTES), ATTR_BYTES]],
}
