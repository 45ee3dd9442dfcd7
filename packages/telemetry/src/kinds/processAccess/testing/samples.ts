import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import { type ProcessAccessEvent, WAYS } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const READ: Made<ProcessAccessEvent> = {
  kind: 'processAccess',
  timeNs: TIME_NS,
  way: 'process_vm_readv',
  pid: 4242,
  targetId: 4300,
  targetIsLocal: false,
  bytes: 65_536,
  targetFd: undefined,
  writing: false,
  errno: undefined,
  target: { pid: 4300, entityId: 'AAAAAAAAAAM', comm: 'nginx', exe: '/usr/sbin/nginx', uid: 33 },
  process: undefined,
}

const REFUSED: Made<ProcessAccessEvent> = {
  ...READ,
  way: 'process_vm_writev',
  targetId: 7,
  targetIsLocal: true,
  bytes: undefined,
  writing: true,
  errno: 1,
  target: undefined,
}

const COPIED: Made<ProcessAccessEvent> = {
  ...READ,
  way: 'pidfd_getfd',
  bytes: undefined,
  targetFd: 3,
  writing: undefined,
  target: { pid: 4300, entityId: undefined, comm: undefined, exe: undefined, uid: undefined },
}

const OPENED: Made<ProcessAccessEvent> = {
  ...READ,
  way: 'procMem',
  targetId: undefined,
  bytes: undefined,
  writing: true,
}

export const samples: Samples = {
  golden: [READ, REFUSED, COPIED, OPENED],
  any: fc.record({
    kind: fc.constant('processAccess' as const),
    timeNs: u64,
    way: fc.constantFrom(...WAYS),
    pid: u32,
    targetId: maybe(fc.integer()),
    targetIsLocal: fc.boolean(),
    bytes: maybe(fc.maxSafeNat()),
    targetFd: maybe(u32),
    writing: maybe(fc.boolean()),
    errno: maybe(fc.nat({ max: 4095 })),
    target: maybe(
      fc.record({
        pid: u32,
        entityId: maybe(fc.constant('AAAAAAAAAAM')),
        comm: maybe(hostileText),
        exe: maybe(hostileText),
        uid: maybe(u32),
      }),
    ),
    process: fc.constant(undefined),
  }),
}
