import type { Flood } from '../../../testing/flood.js'
import { numberOf } from '../../../testing/raw-calls.js'

const RX = 5
const RWX = 7
const BYTES = 4096
const ADDRESS = 0x1000_0000
const ANONYMOUS = 0x32
const NO_FILE = 0xffff_ffff

/** Memory that is made executable again and again: each sort of call is one event of each process. */
export const flood: Flood = {
  options: { executableMemory: true },
  event: 'executableMemory',
  records: ['executable', 'executableMap'],
  steps: [
    [numberOf('mmap'), ADDRESS, BYTES, RX, ANONYMOUS, NO_FILE, 0],
    [numberOf('mprotect'), ADDRESS, BYTES, RWX],
    [numberOf('mprotect'), ADDRESS, BYTES, RX],
  ],
  once: 3,
}
