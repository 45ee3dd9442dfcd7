/** Compares what records told of TCP connections with what the kernel counted in quark's network namespace. */

/** What the kernel had counted at one time, and what of it was under way. Times in ns of CLOCK_BOOTTIME. */
export interface TcpCounts {
  readonly netNs: number
  readonly readNs: number
  readonly activeOpens: number
  readonly passiveOpens: number
  readonly attemptFails: number
  readonly listenDrops: number
  readonly opening: number
  readonly waiting: number
}

/** Side of a connection: this end opened it, or the other. */
type Side = 'active' | 'passive'

/** Width of a bucket is 2^23 ns, about 8 ms. */
const BUCKET_NS = 2 ** 23
/** About a minute. */
const BUCKETS = 8192
/** A connection may have begun a while before the kernel counts it. */
const BEGIN_MARGIN_NS = 1e9

/** How many connections records told of, and how many of them began within the last minute, and when. */
class Told {
  total = 0
  readonly #recent = new Uint32Array(BUCKETS)
  #latest = 0

  note(sinceNs: number): void {
    this.total += 1
    const bucket = Math.floor(sinceNs / BUCKET_NS)
    this.#advance(bucket)
    if (bucket > this.#latest - BUCKETS) (this.#recent[bucket % BUCKETS] as number) += 1
  }

  /** How many began at a time or before; some of those that began up to 8 ms after it are among them. */
  until(ns: number): number {
    const from = Math.floor(ns / BUCKET_NS) + 1
    let later = 0
    for (let bucket = Math.max(from, this.#latest - BUCKETS + 1); bucket <= this.#latest; bucket += 1) {
      later += this.#recent[bucket % BUCKETS] as number
    }
    return this.total - later
  }

  #advance(bucket: number): void {
    if (bucket <= this.#latest) return
    if (bucket - this.#latest >= BUCKETS) this.#recent.fill(0)
    else for (let next = this.#latest + 1; next <= bucket; next += 1) this.#recent[next % BUCKETS] = 0
    this.#latest = bucket
  }
}

/**
 * Counts connections that the kernel counted and no record told of. What is in doubt counts as told: connections that
 * are under way, began while the counters were read, or may have been dropped before a process could accept them. A
 * difference counts once a second comparison has found it, too.
 */
export class Completeness {
  /** Connections that were missed for certain, so far. */
  unseen = 0
  readonly #told: Readonly<Record<Side, Told>> = { active: new Told(), passive: new Told() }
  #first: TcpCounts | undefined
  #last = 0
  /** Failures that records told of. */
  #failed = 0

  /**
   * A record told of a connection that began then; 0 when that is not known.
   *
   * @param hasFailed whether the kernel counted a failure of this side
   */
  note(side: Side, netNs: number, sinceNs: number, hasFailed: boolean): void {
    const first = this.#first
    if (first === undefined || first.netNs !== netNs) return
    if (hasFailed) this.#failed += 1
    if (sinceNs !== 0 && sinceNs < first.readNs - BEGIN_MARGIN_NS) return
    this.#told[side].note(sinceNs)
  }

  /** The kernel had counted so many, and all records of connections that ended before were noted. */
  compare(counts: TcpCounts): void {
    const first = (this.#first ??= counts)
    // Another namespace, or counters that went back, show nothing.
    if (counts.netNs !== first.netNs) return
    const { active, passive } = this.#told
    const opened = counts.activeOpens - first.activeOpens - counts.opening
    // Of a failure the kernel does not say whose it was.
    const failed = Math.max(0, counts.attemptFails - first.attemptFails - this.#failed)
    const dropped = failed + counts.listenDrops - first.listenDrops
    const taken = counts.passiveOpens - first.passiveOpens - counts.waiting - dropped
    const missed =
      Math.max(0, opened - active.until(counts.readNs)) + Math.max(0, taken - passive.until(counts.readNs))
    this.unseen = Math.max(this.unseen, Math.min(missed, this.#last))
    this.#last = missed
  }
}
