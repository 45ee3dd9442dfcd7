/** A probe made of another one, that records less. */

import { and } from './arithmetic.js'
import { fromNode, nodeOf, type Scalar } from './expr.js'
import { Lack, type Probe } from './probe.js'

/**
 * A copy of a probe that records nothing unless a further condition holds, which is checked after its own and before
 * room in the ring is taken. What the probe does at its end (`finally`) stays as it is.
 *
 * @param condition gets what fills the fixed field of that name; returns undefined to leave the probe as it is
 */
export function narrowed(
  probe: Probe,
  condition: (filling: (field: string) => Scalar | undefined) => Scalar | undefined,
): Probe {
  const more = condition((name) => {
    const filled = probe.fixed.find(({ field }) => field.name === name)
    return filled === undefined || filled.value instanceof Lack ? undefined : fromNode(filled.value)
  })
  if (more === undefined) return probe
  const when = probe.when === undefined ? more : and(fromNode<Scalar>(probe.when), more)
  return Object.freeze({ ...probe, when: nodeOf(when) })
}
