import * as fc from 'fast-check'
import { hostileText, maybe, u32, u64 } from '../../testing/hostile-text.js'
import type { Samples } from '../../testing/samples.js'
import type { LostEvent } from '../event.js'
import type { Made } from '../forms.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const LOSS: Made<LostEvent> = {
  kind: 'lost',
  timeNs: TIME_NS,
  cause: 'ringFull',
  count: 12,
  cpu: 1,
  process: undefined,
}

/** The user is known whose records they were. */
const LOSS_OF_USER: Made<LostEvent> = { ...LOSS, uid: 1000 }

/** The table of some kind was full. */
const EVICTION: Made<LostEvent> = { ...LOSS, cause: 'evicted', count: 3, cpu: undefined, table: 'toy' }

const anyLoss: fc.Arbitrary<Made<LostEvent>> = fc.record({
  kind: fc.constant('lost' as const),
  timeNs: u64,
  cause: fc.constantFrom(...(['ringFull', 'rejected', 'recursion', 'evicted', 'unseen'] as const)),
  count: u32,
  cpu: maybe(u32),
  uid: maybe(u32),
  table: maybe(hostileText),
  process: fc.constant(undefined),
})

/** Samples of the events that are of no kind. */
export const samples: Samples = { golden: [LOSS, LOSS_OF_USER, EVICTION], any: anyLoss }
