import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { BpfEvent } from '../events.js'
import { ATTACH_TYPES, COMMANDS, LINK_TYPES, PROGRAM_TYPES } from '../names.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const LOADED: Made<BpfEvent> = {
  kind: 'bpf',
  timeNs: TIME_NS,
  command: 'PROG_LOAD',
  pid: 4242,
  programType: 'TRACING',
  attachType: 'TRACE_FENTRY',
  programId: 12,
  name: 'my prog',
  instructions: 1234,
  linkId: undefined,
  linkType: undefined,
  errno: undefined,
  process: undefined,
}

const LINKED: Made<BpfEvent> = {
  ...LOADED,
  command: 'LINK_CREATE',
  linkId: 7,
  linkType: 'TRACING',
}

const REFUSED: Made<BpfEvent> = {
  ...LOADED,
  programType: 'XDP',
  attachType: 'XDP',
  programId: undefined,
  instructions: undefined,
  errno: 13,
}

const DETACHED: Made<BpfEvent> = {
  ...LOADED,
  command: 'PROG_DETACH',
  programType: undefined,
  attachType: 'CGROUP_INET_EGRESS',
  programId: undefined,
  name: undefined,
  instructions: undefined,
}

export const samples: Samples = {
  golden: [LOADED, LINKED, REFUSED, DETACHED],
  any: fc.record({
    kind: fc.constant('bpf' as const),
    timeNs: u64,
    command: fc.constantFrom(...Object.values(COMMANDS)),
    pid: u32,
    programType: maybe(fc.constantFrom(...PROGRAM_TYPES)),
    attachType: maybe(fc.constantFrom(...ATTACH_TYPES)),
    programId: maybe(u32),
    name: maybe(hostileText),
    instructions: maybe(u32),
    linkId: maybe(u32),
    linkType: maybe(fc.constantFrom(...LINK_TYPES)),
    errno: maybe(fc.nat({ max: 4095 })),
    process: fc.constant(undefined),
  }),
}
