import type { OptionSpecs } from '../../options/spec.js'
import type { Kind } from '../kind.js'

/** A kind that has nothing but what a test gives it. */
export function bareKind<S extends OptionSpecs>(
  name: string,
  number: number,
  parts: Partial<Kind<S>> & { readonly options: S },
): Kind<S> {
  return {
    name,
    number,
    facts: () => [],
    records: [],
    joins: { default: [], minimal: [] },
    ...parts,
  }
}
