/** Whose records were lost, as far as the backend knows. */

import type { LossesOf } from '../backend/backend.js'
import type { ProcessRecord } from '../process/entry.js'
import { KNOWN_START, KNOWN_START_TICKS } from '../process/entry.js'
import { startNs } from '../process/relatives.js'

/** A number of losses of one user, or of those that are not known. */
export interface LossShare {
  readonly uid: number | undefined
  count: number
}

/** When records may have been lost: CLOCK_BOOTTIME. */
export interface Span {
  readonly fromNs: number
  readonly toNs: number
}

/** Shares that wait for their gaps to be found; beyond it the user is not known. */
const MAX_SHARES = 4096
/** Pids whose records were lost; beyond it all processes may be incomplete. */
const MAX_PIDS = 65_536
/** Users whose records were lost and processes are not known; the same. */
const MAX_UIDS = 1024

/**
 * Gaps in the numbers of records say where how many were lost; the kernel side counts of whom. Both come to the same
 * sum, so the ledger gives each gap its users in the order in which their losses were learnt of.
 */
export class LossLedger {
  readonly byUid = new Map<number, number>()
  readonly #queue: LossShare[] = []
  readonly #pids = new Map<number, Span>()
  readonly #uids = new Map<number, Span>()
  #everyone: Span | undefined
  /** When the first of these losses may have been. */
  #firstNs = Number.POSITIVE_INFINITY

  /** Nothing was lost so far. */
  get isEmpty(): boolean {
    return this.#everyone === undefined && this.#pids.size === 0 && this.#uids.size === 0
  }

  /** Takes what was lost in that time. */
  add({ total, uids, pids }: LossesOf, span: Span): void {
    this.#firstNs = Math.min(this.#firstNs, span.fromNs)
    let ofUsers = 0
    for (const [uid, count] of uids) {
      this.#enqueue(uid, count)
      const sum = this.byUid.get(uid)
      if (sum !== undefined || this.byUid.size < MAX_UIDS) this.byUid.set(uid, (sum ?? 0) + count)
      ofUsers += count
    }
    if (ofUsers < total) this.#enqueue(undefined, total - ofUsers)
    let ofPids = 0
    for (const [pid, count] of pids) {
      this.#remember(pid, span)
      ofPids += count
    }
    if (ofUsers < total || this.#uids.size > MAX_UIDS) this.touchAll(span)
    else if (ofPids < total) for (const uid of uids.keys()) this.#uids.set(uid, span)
  }

  /** Records were lost in that time, and nobody knows whose. */
  touchAll({ fromNs, toNs }: Span): void {
    this.#everyone = { fromNs: Math.min(this.#everyone?.fromNs ?? fromNs, fromNs), toNs }
    this.#pids.clear()
    this.#uids.clear()
  }

  #enqueue(uid: number | undefined, count: number): void {
    const last = this.#queue.at(-1)
    if (last !== undefined && (last.uid === uid || this.#queue.length >= MAX_SHARES)) {
      if (last.uid === uid) last.count += count
      else this.#queue[this.#queue.length - 1] = { uid: undefined, count: last.count + count }
    } else {
      this.#queue.push({ uid, count })
    }
  }

  /** Whose the next losses are: their sum is `count`. */
  split(count: number): LossShare[] {
    const shares: LossShare[] = []
    let rest = count
    while (rest > 0) {
      const [next] = this.#queue
      if (next === undefined) {
        shares.push({ uid: undefined, count: rest })
        break
      }
      const taken = Math.min(rest, next.count)
      shares.push({ uid: next.uid, count: taken })
      rest -= taken
      next.count -= taken
      if (next.count === 0) this.#queue.shift()
    }
    return shares
  }

  /** Whether records of a process may be missing, or of the parent whose program it began with. */
  hasTouched(process: ProcessRecord, parent: ProcessRecord | undefined): boolean {
    if (this.#touches(process)) return true
    const startedNs = startNs(process)
    // Without a creator its fork was lost with others.
    const isExact = (process.known & (KNOWN_START | KNOWN_START_TICKS)) === KNOWN_START
    const isWithoutFork = isExact && process.creator === undefined && startedNs >= this.#firstNs
    if (!isWithoutFork && (parent === undefined || !this.#touches(parent, startedNs))) return false
    // Its children go by it.
    this.#remember(process.pid, { fromNs: startedNs, toNs: startedNs })
    return true
  }

  #remember(pid: number, span: Span): void {
    this.#pids.set(pid, span)
    if (this.#pids.size > MAX_PIDS) this.touchAll({ fromNs: this.#firstNs, toNs: span.toNs })
  }

  /** Whether losses touched a process; of a parent, whether they may have when it had a child at `sinceNs`. */
  #touches(process: ProcessRecord, sinceNs = Number.POSITIVE_INFINITY): boolean {
    const { pid, uid } = process
    const startedNs = startNs(process)
    return (
      isWithin(this.#everyone, startedNs, sinceNs) ||
      isWithin(this.#pids.get(pid), startedNs, sinceNs) ||
      (uid !== undefined && isWithin(this.#uids.get(uid), startedNs, sinceNs))
    )
  }
}

function isWithin(span: Span | undefined, startedNs: number, sinceNs: number): boolean {
  return span !== undefined && startedNs <= span.toNs && sinceNs >= span.fromNs
}
