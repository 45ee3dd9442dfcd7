import type { Flood } from '../../../testing/flood.js'
import { numberOf } from '../../../testing/raw-calls.js'

const NOBODY = 2 ** 22 - 1

/** Calls that find nobody: they are events, too. */
export const flood: Flood = {
  options: { processAccess: true },
  event: 'processAccess',
  records: ['processAccess'],
  steps: [[numberOf('process_vm_readv'), NOBODY, 0, 0, 0, 0, 0]],
}
