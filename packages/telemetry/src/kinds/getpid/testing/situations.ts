import { activitiesOf, runActivity } from '../../../testing/activities.js'
import type { SituationsOf } from '../../../testing/situations.js'

const PROGRAM = new URL('situation.js', import.meta.url)

export const situations: SituationsOf = {
  options: { getpid: true },
  run: () => runActivity(PROGRAM),
  observe: ({ pid, calls }, events) => {
    const seen = activitiesOf(events, 'getpid', pid)
    // Node calls it as well, when it starts.
    const own = Math.max(0, seen.length - Number(calls))
    return {
      situations: [
        {
          name: 'getpid(2), five times',
          expected: Array.from({ length: Number(calls) + own }, () => ({ pid })),
        },
      ],
      seen,
    }
  },
}
