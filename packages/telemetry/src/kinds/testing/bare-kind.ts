import type { OptionSpecs, SettingsOf } from '../../options/spec.js'
import type { Settings } from '../../options/declare.js'
import type { Kind } from '../kind.js'

/** A kind that has nothing but what a test gives it. */
export function bareKind<S extends OptionSpecs>(
  name: string,
  number: number,
  parts: Partial<Kind<S, Settings & SettingsOf<S>>> & { readonly options: S },
): Kind<S> {
  return {
    name,
    number,
    facts: () => [],
    records: [],
    aggregation: { default: [], minimal: [] },
    ...parts,
  }
}
