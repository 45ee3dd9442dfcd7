import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { PtraceEvent } from '../events.js'
import { REQUESTS } from '../requests.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const TARGET = { pid: 4300, entityId: 'AAAAAAAAAAM', comm: 'nginx', exe: '/usr/sbin/nginx', uid: 33 }

const ATTACH: Made<PtraceEvent> = {
  kind: 'ptrace',
  timeNs: TIME_NS,
  action: 'attach',
  pid: 4242,
  request: 'PTRACE_SEIZE',
  requestNumber: 0x4206,
  result: 0,
  errno: undefined,
  targetId: 4300,
  targetIsLocal: false,
  address: 0n,
  data: 0x10_0001n,
  target: TARGET,
  process: undefined,
}

const REFUSED: Made<PtraceEvent> = {
  ...ATTACH,
  action: 'fail',
  request: 'PTRACE_POKEDATA',
  requestNumber: 5,
  result: undefined,
  errno: 3,
  targetId: 7,
  targetIsLocal: true,
  address: 0xffff_8000_0000_0000n,
  target: undefined,
}

const TRACEME: Made<PtraceEvent> = {
  ...ATTACH,
  request: 'PTRACE_TRACEME',
  requestNumber: 0,
  targetId: undefined,
  target: undefined,
}

/** The proc connector says no more. */
const DETACH: Made<PtraceEvent> = {
  ...ATTACH,
  action: 'detach',
  pid: undefined,
  request: undefined,
  requestNumber: undefined,
  result: undefined,
  address: undefined,
  data: undefined,
}

const UNNAMED: Made<PtraceEvent> = {
  ...ATTACH,
  action: 'request',
  request: undefined,
  requestNumber: 0x9999,
  result: 8,
  target: { pid: 4301, entityId: undefined, comm: undefined, exe: undefined, uid: undefined },
}

export const samples: Samples = {
  golden: [ATTACH, REFUSED, TRACEME, DETACH, UNNAMED],
  any: fc.record({
    kind: fc.constant('ptrace' as const),
    timeNs: u64,
    action: fc.constantFrom('attach' as const, 'detach' as const, 'request' as const, 'fail' as const),
    pid: maybe(u32),
    request: maybe(fc.constantFrom(...REQUESTS)),
    requestNumber: maybe(fc.maxSafeNat()),
    result: maybe(fc.maxSafeNat()),
    errno: maybe(fc.nat({ max: 4095 })),
    targetId: maybe(fc.integer()),
    targetIsLocal: fc.boolean(),
    address: maybe(u64),
    data: maybe(u64),
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
