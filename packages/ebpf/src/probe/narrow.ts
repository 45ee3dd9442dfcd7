/** A probe made of another one, that records less. */

import { and } from './arithmetic.js'
import { fromNode, nodeOf, type Scalar } from './expr.js'
import { Lack, type Probe } from './probe.js'

/**
 * A copy of a probe that writes its record only if a further condition holds, which is checked before room in the ring is
 * taken. All else that the probe does, to maps (`effects`, `finally`), stays as it is.
 *
 * @param condition gets what fills the fixed field of that name; returns undefined to leave the probe as it is
 */
export function narrowed(
  probe: Probe,
  condition: (filling: (field: string) => Scalar | undefined) => Scalar | undefined,
): Probe {
  if (probe.record === undefined) return probe
  const more = condition((name) => {
    const filled = probe.fixed.find(({ field }) => field.name === name)
    return filled === undefined || filled.value instanceof Lack ? undefined : fromNode(filled.value)
  })
  if (more === undefined) return probe
  // Without effects it can be checked before anything is begun, which costs less.
  const place = probe.effects.length === 0 ? 'when' : 'recordWhen'
  const before = probe[place]
  const both = before === undefined ? more : and(fromNode<Scalar>(before), more)
  return Object.freeze({ ...probe, [place]: nodeOf(both) })
}
