/** What begins at one hook and ends at another in the same thread, as one record: a call, its result and duration. */

import { and } from './arithmetic.js'
import { currentPidTgid, type Scalar, type Value } from './expr.js'
import { type Fields, type FixedType, u64 } from './fields.js'
import type { ArgumentsOf, ArgumentType, Hook } from './hooks/index.js'
import { has, lookup, map, type MapFound, type MapOperands, remove, store, type TypedMap } from './maps.js'
import type { MapEffect } from './nodes.js'
import { type Probe, probe, type RecordedBody, type RecordingProbe } from './probe.js'
import type { RecordLayout } from './record.js'

/** What a pair keeps from its entry to its exit, by name. */
export type Kept = Readonly<Record<string, FixedType>>

export interface PairOptions<
  A extends readonly ArgumentType<Value>[],
  B extends readonly ArgumentType<Value>[],
  K extends Kept,
  F extends Fields,
> {
  /** The programs are `<name>_in` and `<name>_out`, the map is `<name>_calls`: at most 9 characters of [A-Za-z0-9_]. */
  readonly name: string
  readonly entry: Hook<A>
  readonly exit: Hook<B>
  /** What the entry keeps for the exit, such as `{ startNs: u64, dir: u64 }`. */
  readonly kept: K
  /** Written at the exit. */
  readonly record: RecordLayout<F>
  /** Threads that are between the two at once. Default: 10,240. What comes beyond makes the oldest be forgotten. */
  readonly maxEntries?: number
}

/** What the body of an entry returns. */
export interface EntryBody<K extends Kept> {
  /** What is not wanted at the entry is no record at the exit. */
  readonly when?: Scalar
  readonly effects?: readonly MapEffect[]
  readonly keep: MapOperands<K>
}

/** Two probes that belong together: attach the exit first, so that nothing begins that is not seen to end. */
export interface Pair<K extends Kept, F extends Fields> {
  readonly entry: Probe
  readonly exit: RecordingProbe<F>
  /** What was begun and has not ended, by `currentPidTgid()`. */
  readonly calls: TypedMap<typeof u64, K>
}

/** Usual bound of the threads that are between an entry and its exit. */
const MAX_ENTRIES = 10_240

/**
 * Declares a pair: what the entry keeps is what the exit gets as its first value, before the values of its hook. An
 * exit whose entry was not seen or not wanted writes nothing. For fentry and fexit, kprobe and kretprobe, sysEnter and
 * sysExit; of a function that calls itself, the innermost call is recorded, once.
 *
 * @throws what `probe` and `map` throw
 */
export function pair<
  const A extends readonly ArgumentType<Value>[],
  const B extends readonly ArgumentType<Value>[],
  const K extends Kept,
  F extends Fields,
  L extends keyof F = never,
>(
  options: PairOptions<A, B, K, F>,
  begin: (...args: ArgumentsOf<A>) => EntryBody<K>,
  end: (kept: MapFound<K>, ...args: ArgumentsOf<B>) => RecordedBody<F, L>,
): Pair<K, F> {
  const { name, entry, exit, kept, record, maxEntries = MAX_ENTRIES } = options
  const thread = currentPidTgid()
  const calls = map({ name: `${name}_calls`, type: 'lruHash', key: u64, value: kept, maxEntries })
  return {
    entry: probe({ name: `${name}_in`, hook: entry }, (...args) => {
      const { keep, effects = [], ...rest } = begin(...args)
      return { ...rest, effects: [...effects, store(calls, thread, keep as never)] }
    }),
    exit: probe<B, F, L>({ name: `${name}_out`, hook: exit, record }, (...args) => {
      const body = end(lookup(calls, thread), ...args)
      const isBegun = has(calls, thread)
      return {
        ...body,
        given: body.given === undefined ? isBegun : and(isBegun, body.given),
        finally: [...(body.finally ?? []), remove(calls, thread)],
      }
    }),
    calls,
  }
}
