import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { SharedMemoryEvent } from '../events.js'
import { FLAGS } from '../flags.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const BASE = {
  kind: 'sharedMemory',
  timeNs: TIME_NS,
  pid: 4242,
  key: undefined,
  id: undefined,
  sizeBytes: undefined,
  flags: undefined,
  mode: undefined,
  created: undefined,
  writable: undefined,
  name: undefined,
  path: undefined,
  address: undefined,
  errno: undefined,
  process: undefined,
} as const

const SEGMENT: Made<SharedMemoryEvent> = {
  ...BASE,
  action: 'shmget',
  key: -559_038_737,
  id: 32_769,
  sizeBytes: 65_536,
  flags: ['IPC_CREAT', 'IPC_EXCL'],
  mode: 0o600,
  created: true,
}

const MISSING: Made<SharedMemoryEvent> = {
  ...SEGMENT,
  key: 7,
  id: undefined,
  flags: [],
  created: undefined,
  errno: 2,
}

const ATTACHED: Made<SharedMemoryEvent> = {
  ...BASE,
  action: 'shmat',
  id: 32_769,
  flags: ['SHM_RDONLY'],
  writable: false,
  address: 0x7f00_1234_5000n,
}

const MEMFD: Made<SharedMemoryEvent> = {
  ...BASE,
  action: 'memfd',
  flags: ['MFD_CLOEXEC', 'MFD_ALLOW_SEALING'],
  created: true,
  name: 'wayland cursor',
}

const OPENED: Made<SharedMemoryEvent> = {
  ...BASE,
  action: 'open',
  created: false,
  writable: true,
  path: '/dev/shm/sem.lock',
}

export const samples: Samples = {
  golden: [SEGMENT, MISSING, ATTACHED, MEMFD, OPENED],
  any: fc.record({
    kind: fc.constant('sharedMemory' as const),
    timeNs: u64,
    action: fc.constantFrom('shmget' as const, 'shmat' as const, 'memfd' as const, 'open' as const),
    pid: u32,
    key: maybe(fc.integer()),
    id: maybe(fc.integer()),
    sizeBytes: maybe(fc.maxSafeNat()),
    flags: maybe(fc.subarray([...FLAGS])),
    mode: maybe(fc.nat({ max: 0o777 })),
    created: maybe(fc.boolean()),
    writable: maybe(fc.boolean()),
    name: maybe(hostileText),
    path: maybe(hostileText),
    address: maybe(u64),
    errno: maybe(fc.nat({ max: 4095 })),
    process: fc.constant(undefined),
  }),
}
