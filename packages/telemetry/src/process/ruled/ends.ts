/**
 * What rules leave out by the ends of connections alone, in the kernel: a trie answers questions about ports and addresses,
 * as the bits of a number, and a map says what the answers mean.
 */

import {
  and,
  eq,
  ifThen,
  increase,
  lookup,
  map,
  narrowed,
  ne,
  oneOf,
  or,
  type Operand,
  type Probe,
  type Scalar,
  shiftRight,
  type TypedMap,
  u32,
} from 'quark-ebpf/probe'
import type { DecisionMaps } from './kernel.js'
import { FIRST_BITS, GENERATION_SHIFT, PORTS } from './end-answers.js'

const AF_INET = 2
const AF_INET6 = 10

const endKey = { prefix: u32, kind: u32, word0: u32, word1: u32, word2: u32, word3: u32 } as const
const meaningKey = { answers: u32, kind: u32 } as const

/** Most prefixes, and most answers with a meaning. */
export const MAX_PREFIXES = 8192
export const MAX_MEANINGS = 1024

/** The declarations of the maps, which all programs of a session share. */
export interface EndMaps {
  /** Answers by what ports and addresses begin with. Words are in network order. */
  readonly answers: TypedMap<typeof endKey, typeof u32>
  /** The number of the reason why events of a kind are left out, by all answers together. */
  readonly meanings: TypedMap<typeof meaningKey, typeof u32>
}

export function endMaps(): EndMaps {
  return {
    answers: map({
      name: 'quark_ends',
      type: 'lpmTrie',
      key: endKey,
      value: u32,
      maxEntries: MAX_PREFIXES,
    }),
    meanings: map({
      name: 'quark_meanings',
      type: 'hash',
      key: meaningKey,
      value: u32,
      maxEntries: MAX_MEANINGS,
    }),
  }
}

/** All bits of a key behind the prefix count. */
const WHOLE = FIRST_BITS + 128

/**
 * A probe that writes no record of connections that rules leave out by their ends, and counts those.
 *
 * @param kind the number of the kind of event that its records become
 */
export function decidingEnds(
  probe: Probe,
  kind: number,
  { answers, meanings }: EndMaps,
  { leftOut }: DecisionMaps,
): Probe {
  return narrowed(probe, (filling, already) => {
    const names = ['family', 'localPort', 'remotePort', 'remote0', 'remote1', 'remote2', 'remote3'] as const
    const [family, local, remote, ...words] = names.map((name) => filling(name))
    if (family === undefined || local === undefined || remote === undefined) return undefined
    const [word0, word1, word2, word3] = words
    if (word0 === undefined || word1 === undefined || word2 === undefined || word3 === undefined)
      return undefined
    const whole = (of: Operand, first: Operand, others: readonly [Operand, Operand, Operand]): Scalar =>
      lookup(answers, {
        prefix: WHOLE,
        kind: of,
        word0: first,
        word1: others[0],
        word2: others[1],
        word3: others[2],
      })
    const ofLocal = whole(PORTS, and(local, 0xffff), [0, 0, 0])
    const ofRemote = whole(PORTS, and(remote, 0xffff), [0, 0, 0])
    const ofAddress = whole(family, word0, [word1, word2, word3])
    const generation = (answer: Scalar): Scalar => shiftRight(answer, GENERATION_SHIFT)
    // Without a port something is not known, and rules have to be asked. Answers of different generations mean nothing together.
    const isKnown = and(
      ne(and(local, 0xffff), 0),
      ne(and(remote, 0xffff), 0),
      oneOf(family, [AF_INET, AF_INET6]),
      eq(generation(ofLocal), generation(ofRemote)),
      eq(generation(ofLocal), generation(ofAddress)),
    )
    const reason = ifThen(isKnown, lookup(meanings, { answers: or(or(ofLocal, ofRemote), ofAddress), kind }))
    const isLeftOut = already === undefined ? ne(reason, 0) : and(already, ne(reason, 0))
    return { when: eq(reason, 0), effects: [increase(leftOut, reason, isLeftOut)] }
  })
}
