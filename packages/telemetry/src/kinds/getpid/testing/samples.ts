import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { GetpidEvent } from '../events.js'

const CALLED: Made<GetpidEvent> = {
  kind: 'getpid',
  timeNs: 1_767_323_045_000_000_006n,
  pid: 4242,
  process: undefined,
}

export const samples: Samples = {
  golden: [CALLED],
  any: fc.record({
    kind: fc.constant('getpid' as const),
    timeNs: u64,
    pid: u32,
    process: fc.constant(undefined),
  }),
}
