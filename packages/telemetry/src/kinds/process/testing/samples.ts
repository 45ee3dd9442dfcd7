import type { Samples } from '../../../testing/samples.js'
import { anyProcess, anyProcessEvent } from './arbitraries.js'
import { EVENTS, INIT, KILLED_SHELL } from './processes.js'

export const samples: Samples = {
  golden: EVENTS,
  any: anyProcessEvent,
  processes: [INIT, KILLED_SHELL],
  anyProcess,
}
