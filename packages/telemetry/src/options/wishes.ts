/** Options that somebody gave and that cannot be met: an error each, as nobody would notice otherwise. */

import { OptionError } from '../errors.js'
import { defaultOf, isSwitch, type OptionSpecs } from './spec.js'

/** What a backend turned out to be able to do. */
export interface Met {
  readonly name: string
  readonly missing: readonly { readonly fact: string; readonly reason: string }[]
}

/**
 * Refuses options that the open backend does not meet. A fact that is learnt only when an option asks for it has the name of
 * that option.
 *
 * @param given options as the caller gave them
 * @throws {OptionError} for the first of them
 */
export function checkMet(specs: OptionSpecs, given: object, { name: backend, missing }: Met): void {
  for (const [name, value] of Object.entries(given)) {
    const spec = specs[name]
    if (spec === undefined || value === undefined || value === defaultOf(spec)) continue
    const { onlyWith } = spec
    const problem =
      onlyWith?.backends.includes(backend) === false
        ? onlyWith.reason
        : missing.find(({ fact }) => isSwitch(spec) && fact === name)?.reason
    if (problem === undefined) continue
    throw new OptionError(
      name,
      `Option "${name}" cannot be met with the backend ${backend}: ${problem}`,
      `the backend ${backend} cannot do that: ${problem}`,
    )
  }
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
