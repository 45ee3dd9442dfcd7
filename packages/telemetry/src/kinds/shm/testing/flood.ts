import { type Flood } from '../../../testing/flood.js'
import { LAST_RESULT } from '../../../testing/elf.js'
import { numberOf } from '../../../testing/raw-calls.js'

/** Files of memory that are made and closed. */
export const flood: Flood = {
  options: { sharedMemory: true },
  event: 'sharedMemory',
  records: ['memfd'],
  steps: [
    [numberOf('memfd_create'), 'flood', 1],
    ['close', LAST_RESULT],
  ],
}
