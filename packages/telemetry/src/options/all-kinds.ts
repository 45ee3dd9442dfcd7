import type { OptionSpecs } from './spec.js'

/** Names of the options that switch on kinds of events which are off by default. */
export function kindSwitches(specs: OptionSpecs): string[] {
  return Object.entries(specs).flatMap(([name, spec]) =>
    'isKindSwitch' in spec && spec.isKindSwitch === true ? [name] : [],
  )
}

/** The options that a caller gave, with those that `all` stands for: switches that the caller did not give. */
export function withAllKinds(specs: OptionSpecs, given: object): object {
  const options = given as Readonly<Record<string, unknown>>
  if (options['all'] !== true) return options
  const switches = kindSwitches(specs).map((name) => [name, options[name] ?? true])
  return { ...options, ...Object.fromEntries(switches) }
}
