import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import { CALLS, type ExecutableMemoryEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const PROTECTED: Made<ExecutableMemoryEvent> = {
  kind: 'executableMemory',
  timeNs: TIME_NS,
  call: 'mprotect',
  pid: 4242,
  writable: true,
  implied: false,
  address: 0x7f00_1234_5000n,
  sizeBytes: 65_536,
  file: undefined,
  segment: undefined,
  process: undefined,
}

const MAPPED: Made<ExecutableMemoryEvent> = {
  ...PROTECTED,
  call: 'mmap',
  writable: false,
  implied: true,
  file: '/memfd:a b',
}

const SEGMENT: Made<ExecutableMemoryEvent> = {
  ...PROTECTED,
  call: 'shmat',
  sizeBytes: undefined,
  segment: 32_769,
}

export const samples: Samples = {
  golden: [PROTECTED, MAPPED, SEGMENT],
  any: fc.record({
    kind: fc.constant('executableMemory' as const),
    timeNs: u64,
    call: fc.constantFrom(...CALLS),
    pid: u32,
    writable: fc.boolean(),
    implied: fc.boolean(),
    address: u64,
    sizeBytes: maybe(fc.maxSafeNat()),
    file: maybe(hostileText),
    segment: maybe(u32),
    process: fc.constant(undefined),
  }),
}
