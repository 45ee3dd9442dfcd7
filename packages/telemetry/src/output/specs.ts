import type { EventSpec } from '../event/spec.js'

/** The parts of a catalogue that writers use. */
export interface Declarations {
  readonly events: readonly EventSpec[]
}

/** What a writer makes of the spec of a kind of event, made when the first such event is written. */
export function planByKind<P>({ events }: Declarations, plan: (spec: EventSpec) => P): (kind: string) => P {
  const plans = new Map<string, P>()
  return (kind) => {
    const known = plans.get(kind)
    if (known !== undefined) return known
    const spec = events.find((spec) => spec.kind === kind)
    if (spec === undefined) throw new TypeError(`Cannot write an event that is not declared: ${kind}`)
    const made = plan(spec)
    plans.set(kind, made)
    return made
  }
}
