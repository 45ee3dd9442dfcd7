/** Options that somebody gave and that cannot be met: an error each, as nobody would notice otherwise. */

import { OptionError } from '../errors.js'
import { defaultOf, isSwitch, type OptionSpecs } from './spec.js'

/** What a backend turned out to be able to do. */
export interface Met {
  readonly name: string
  readonly missing: readonly { readonly fact: string; readonly reason: string }[]
  /** Backends that were tried before, and why they do not work here. */
  readonly failures?: readonly { readonly backend: string; readonly error: Error }[]
}

/** A fact that is learnt since an option asks for it. */
export interface AskedFact {
  readonly name: string
  readonly rungs: readonly { readonly by: string }[]
  readonly isAuxiliary?: true
  readonly canBeMoot?: true
}

/** The facts that would not be learnt without an option. */
export type FactsOf = (option: string) => readonly AskedFact[]

/**
 * Refuses options that the open backend does not meet: it learns nothing that the option asks for, or not the fact that has
 * the name of the option.
 *
 * @param given options as the caller gave them
 * @throws {OptionError} for the first of them
 */
export function checkMet(specs: OptionSpecs, given: object, backend: Met, factsOf: FactsOf = () => []): void {
  for (const [name, value] of Object.entries(given)) {
    const spec = specs[name]
    if (spec === undefined || value === undefined || value === defaultOf(spec)) continue
    const { onlyWith } = spec
    const problem =
      onlyWith?.backends.includes(backend.name) === false
        ? onlyWith.reason
        : isSwitch(spec)
          ? unlearnt(name, backend, factsOf)
          : undefined
    if (problem === undefined) continue
    throw new OptionError(
      name,
      `Option "${name}" cannot be met with the backend ${backend.name}: ${problem}`,
      `the backend ${backend.name} cannot do that: ${problem}`,
    )
  }
}

/** Why nothing is learnt that a switch asks for, and who could; undefined if something is. */
function unlearnt(option: string, met: Met, factsOf: FactsOf): string | undefined {
  const { name: backend, missing } = met
  if (missing.length === 0) return undefined
  const asked = factsOf(option).filter(({ isAuxiliary }) => isAuxiliary !== true)
  const reasonOf = (name: string): string | undefined => missing.find(({ fact }) => fact === name)?.reason
  const own = reasonOf(option)
  const reasons = own === undefined ? asked.map(({ name }) => reasonOf(name)) : [own]
  const isMoot = asked.some((fact) => fact.canBeMoot === true && fact.rungs.some(({ by }) => by === backend))
  if (reasons.length === 0 || reasons.includes(undefined) || isMoot) return undefined
  const text = [...new Set(reasons)].join('; ')
  const others = new Set(asked.flatMap(({ rungs }) => rungs.map(({ by }) => by)))
  others.delete(backend)
  return `${text}${adviceOf([...others], met)}`
}

function adviceOf(others: readonly string[], { failures = [] }: Met): string {
  const works = others.filter((name) => !failures.some(({ backend }) => backend === name))
  const broken = failures.filter(({ backend }) => others.includes(backend))
  const named = [
    ...works,
    ...broken.map(({ backend, error }) => `${backend}, which does not work here: ${error.message}`),
  ]
  return named.length === 0 ? '' : ` (this needs the backend ${named.join(' or ')})`
}

/**
 * Refuses options that a recording has decided.
 *
 * @throws {OptionError} for the first of them
 */
export function checkReplayed(specs: OptionSpecs, given: object): void {
  for (const [name, value] of Object.entries(given)) {
    const spec = specs[name]
    if (spec === undefined || value === undefined || spec.type === 'instance') continue
    if (spec.isRecorded === true || spec.isReplayed === true) continue
    throw new OptionError(
      name,
      `Option "${name}" has no meaning in a replay, which the recording decided: leave it out`,
      'leave it out in a replay, which the recording decided',
    )
  }
}

/**
 * Refuses options that undo each other.
 *
 * @throws {OptionError} naming one of them
 */
export function checkTogether(given: ReadonlyMap<string, unknown>): void {
  const [pollMs, batchMs] = [given.get('pollMs'), given.get('batchMs')]
  if (typeof pollMs === 'number' && typeof batchMs === 'number' && batchMs > pollMs) {
    throw new OptionError(
      'batchMs',
      `Option "batchMs" (${batchMs}) cannot be more than "pollMs" (${pollMs}): polls are to be that often`,
      `it cannot be more than the time between polls, ${pollMs}`,
    )
  }
  if (given.get('truncate') === true && !given.has('record')) {
    throw new OptionError('truncate', 'Option "truncate" has no meaning without "record": leave it out')
  }
}
