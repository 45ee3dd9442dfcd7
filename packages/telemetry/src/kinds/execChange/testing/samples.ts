import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { ExecChangeEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const PROGRAM: Made<ExecChangeEvent> = {
  kind: 'execChange',
  timeNs: TIME_NS,
  pid: 4242,
  execChange: {
    file: 'program',
    script: undefined,
    relation: 'tree',
    openedNs: TIME_NS - 1_000_000n,
    writerPid: 4241,
    writerEntityId: 'kRAAAAAAAAAAAAAA',
    writerComm: 'ld',
    writerUid: 1000,
    memfd: true,
  },
  process: undefined,
}

const SCRIPT: Made<ExecChangeEvent> = {
  ...PROGRAM,
  execChange: {
    ...PROGRAM.execChange,
    file: 'script',
    script: './build.sh',
    relation: 'session',
    writerEntityId: undefined,
    memfd: false,
  },
}

const anyChange: fc.Arbitrary<Made<ExecChangeEvent>> = fc.record({
  kind: fc.constant('execChange' as const),
  timeNs: u64,
  pid: u32,
  execChange: fc.record({
    file: fc.constantFrom('program' as const, 'script' as const),
    script: maybe(hostileText),
    relation: fc.constantFrom('session' as const, 'tree' as const),
    openedNs: u64,
    writerPid: u32,
    writerEntityId: maybe(fc.constant('kRAAAAAAAAAAAAAA')),
    writerComm: maybe(hostileText),
    writerUid: u32,
    memfd: fc.boolean(),
  }),
  process: fc.constant(undefined),
})

export const samples: Samples = { golden: [PROGRAM, SCRIPT], any: anyChange }
