/** Finds rights that a process gains and loses within one event, which the event would hide. */

import type { Identity } from '../../process/identity.js'
import { HAS_CAPS, HAS_IDS } from '../../process/known.js'
import { forkLayout } from './records.js'

/** Words of the identity in a fork record. */
const KNOWN = forkLayout.at.known >> 2
const UID = forkLayout.at.uid >> 2
const EUID = forkLayout.at.euid >> 2
const SUID = forkLayout.at.suid >> 2
const PERMITTED = forkLayout.at.capPermitted >> 2
const EFFECTIVE = forkLayout.at.capEffective >> 2

/** Bits of which ids are those of root. */
const ROOT_UID = 1
const ROOT_EUID = 2
const ROOT_SUID = 4

const LOW_WORD = 0xffff_ffffn
const NO_WORDS = new Uint32Array(0)

/**
 * Follows the rights of a process through the records of one event: uid 0 in any of its ids, and permitted and effective
 * capabilities. An event shows the process before its first record and after its last one. So it shows no right that was
 * gained and is gone by then, and none that was given up before it was gained again.
 *
 * Sets of rights are five words: ids, and the halves of both sets of capabilities.
 */
export class PrivilegeWatch {
  /** Whether a record was noted. */
  isBegun = false
  /** Before the first record. */
  #before: Identity | undefined = undefined
  /** The process is new: it had what its first record has. */
  #isNew = false
  /** Where the identity of the last record is, as it would be in a fork record. */
  #words: Uint32Array = NO_WORDS
  #w = 0
  /** Whether the rights below are computed: most events have one set of rights, and do without. */
  #isComputed = false
  readonly #now = new Int32Array(5)
  readonly #next = new Int32Array(5)
  /** The rights before the event. */
  readonly #had = new Int32Array(5)
  /** The rights that records of this event gave. */
  readonly #gained = new Int32Array(5)

  /** Begins with a new process: what it has is its parent's. `w` is where a fork record with its identity would begin. */
  beginNew(words: Uint32Array, w: number): void {
    this.#begin(undefined, words, w)
    this.#isNew = true
  }

  /** Begins with a record of a process that was `before`, if that is known. */
  begin(before: Identity | undefined, words: Uint32Array, w: number): void {
    this.#begin(before, words, w)
    this.#isNew = false
  }

  #begin(before: Identity | undefined, words: Uint32Array, w: number): void {
    this.isBegun = true
    this.#isComputed = false
    this.#before = before
    this.#words = words
    this.#w = w
  }

  /** Whether an event with this further record would hide a gain; otherwise it is noted. The records before are still held. */
  hides(words: Uint32Array, w: number): boolean {
    if (hasSameRights(this.#words, this.#w, words, w)) return false
    if (!this.#isComputed) this.#compute()
    const now = this.#now
    const next = this.#next
    const gained = this.#gained
    // What the record does not have stays as it is.
    next.set(now)
    readRights(words, w, next)
    for (let i = 0; i < next.length; i++) {
      const gains = (next[i] as number) & ~(now[i] as number)
      const isTaken = ((gained[i] as number) & ~(next[i] as number)) !== 0
      if (isTaken || (gains & (this.#had[i] as number)) !== 0) return true
    }
    for (let i = 0; i < next.length; i++) {
      gained[i] = (gained[i] as number) | ((next[i] as number) & ~(now[i] as number))
    }
    now.set(next)
    this.#words = words
    this.#w = w
    return false
  }

  /** Computes what the first record has and gave; those since have the same. */
  #compute(): void {
    this.#isComputed = true
    this.#now.fill(0)
    this.#gained.fill(0)
    readRights(this.#words, this.#w, this.#now)
    if (this.#isNew) {
      this.#had.set(this.#now)
      return
    }
    const rights = rightsOf(this.#before)
    this.#had.set(rights)
    for (let i = 0; i < rights.length; i++) {
      this.#gained[i] = (this.#now[i] as number) & ~(rights[i] as number)
    }
  }
}

/** Whether two records know the same of rights, and have the same ids and sets. */
function hasSameRights(one: Uint32Array, v: number, other: Uint32Array, w: number): boolean {
  return (
    (((one[v + KNOWN] as number) ^ (other[w + KNOWN] as number)) & (HAS_IDS | HAS_CAPS)) === 0 &&
    one[v + UID] === other[w + UID] &&
    one[v + EUID] === other[w + EUID] &&
    one[v + SUID] === other[w + SUID] &&
    one[v + PERMITTED] === other[w + PERMITTED] &&
    one[v + PERMITTED + 1] === other[w + PERMITTED + 1] &&
    one[v + EFFECTIVE] === other[w + EFFECTIVE] &&
    one[v + EFFECTIVE + 1] === other[w + EFFECTIVE + 1]
  )
}

function readRights(words: Uint32Array, w: number, into: Int32Array): void {
  const known = words[w + KNOWN] as number
  if ((known & HAS_IDS) !== 0) {
    into[0] =
      (words[w + UID] === 0 ? ROOT_UID : 0) |
      (words[w + EUID] === 0 ? ROOT_EUID : 0) |
      (words[w + SUID] === 0 ? ROOT_SUID : 0)
  }
  if ((known & HAS_CAPS) !== 0) {
    into[1] = words[w + PERMITTED] as number
    into[2] = words[w + PERMITTED + 1] as number
    into[3] = words[w + EFFECTIVE] as number
    into[4] = words[w + EFFECTIVE + 1] as number
  }
}

/** The rights of an identity; what is not known of them is none. */
function rightsOf(identity: Identity | undefined): readonly number[] {
  const { uid, euid, suid, capPermitted = 0n, capEffective = 0n } = identity ?? {}
  return [
    (uid === 0 ? ROOT_UID : 0) | (euid === 0 ? ROOT_EUID : 0) | (suid === 0 ? ROOT_SUID : 0),
    Number(capPermitted & LOW_WORD),
    Number(capPermitted >> 32n),
    Number(capEffective & LOW_WORD),
    Number(capEffective >> 32n),
  ]
}
