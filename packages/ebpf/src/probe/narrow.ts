/** A probe made of another one, that records less. */

import { and } from './arithmetic.js'
import { fromNode, nodeOf, type Scalar } from './expr.js'
import type { MapEffect } from './nodes.js'
import { checkFinally, Lack, type Probe } from './probe.js'

/** What fills the fixed field of a record that has this name; undefined if nothing does. */
export type Filling = (field: string) => Scalar | undefined

/** How a probe is narrowed. */
export interface Narrowing {
  /** The record is written only if this is not 0. */
  readonly when: Scalar
  /** What to do to maps before that is known, behind what the probe does itself. */
  readonly effects?: readonly MapEffect[]
}

/**
 * A copy of a probe that writes its record only if a further condition holds, which is checked before room in the ring is
 * taken. All else that the probe does, to maps (`effects`, `finally`), stays as it is.
 *
 * @param condition gets what already decides behind the effects, if anything does; returns undefined to leave the probe as it is
 */
export function narrowed(
  probe: Probe,
  condition: (filling: Filling, already: Scalar | undefined) => Scalar | Narrowing | undefined,
): Probe {
  if (probe.record === undefined) return probe
  const { recordWhen } = probe
  const given = condition(
    fillingOf(probe),
    recordWhen === undefined ? undefined : fromNode<Scalar>(recordWhen),
  )
  if (given === undefined) return probe
  const { when: more, effects: added = [] } = 'when' in given ? given : { when: given }
  const effects = [...probe.effects, ...added]
  // Without effects it can be checked before anything is begun, which costs less.
  const place = effects.length === 0 ? 'when' : 'recordWhen'
  const before = probe[place]
  const both = before === undefined ? more : and(fromNode<Scalar>(before), more)
  return Object.freeze({ ...probe, effects, [place]: nodeOf(both) })
}

/**
 * A copy of a probe that removes further keys from maps at its end, when its condition (`when`) holds: after its record
 * is written, so that who finds the key gone finds the record, too.
 *
 * @param removals returns none to leave the probe as it is
 * @throws {TypeError} for what is no `remove(…)`
 */
export function concluded(probe: Probe, removals: (filling: Filling) => readonly MapEffect[]): Probe {
  const more = removals(fillingOf(probe))
  if (more.length === 0) return probe
  const { given, when } = probe
  const both =
    given === undefined || when === undefined
      ? (given ?? when)
      : nodeOf(and(fromNode<Scalar>(given), fromNode<Scalar>(when)))
  const last = checkFinally(probe.name, [...probe.finally, ...more])
  return Object.freeze({ ...probe, given: both, when: undefined, finally: last })
}

function fillingOf(probe: Probe): Filling {
  return (name) => {
    const filled = probe.fixed.find(({ field }) => field.name === name)
    return filled === undefined || filled.value instanceof Lack ? undefined : fromNode(filled.value)
  }
}
