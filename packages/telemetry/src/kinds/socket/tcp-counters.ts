/** Reads what the kernel counts of TCP connections, to be compared with what programs saw. */

import { readFileSync, readlinkSync } from 'node:fs'
import { decodeRecord } from 'quark-ebpf/probe'
import type { Source, SourceContext, SourceRung } from '../../facts/rungs.js'
import { tcpCountsLayout, tcpPendingLayout } from './records.js'

/** The fact of connections that are under way. */
export const PENDING = 'socketsPending'

const POLL_MS = 5000
/** Walking through all sockets takes at most this share of the time: one in so many. */
const WALK_SHARE = 500
const NS_PER_MS = 1e6

/** Counters by their names in a file of /proc/net, in which a line of names comes before each line of numbers. */
export function countersOf(text: string, protocol: string): ReadonlyMap<string, number> {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(' ').slice(1))
  return new Map(names.map((name, index) => [name, Number(values[index])]))
}

interface Counted {
  readonly netNs: number
  readonly readNs: number
  readonly activeOpens: number
  readonly passiveOpens: number
  readonly attemptFails: number
  readonly listenDrops: number
}

interface Pending {
  readonly opening: number
  readonly waiting: number
}

/** Undefined when this process may not read them any more. */
function readCounters(readNs: number): Counted | undefined {
  try {
    const netNs = Number(/\d+/.exec(readlinkSync('/proc/thread-self/ns/net'))?.[0])
    const tcp = countersOf(readFileSync('/proc/thread-self/net/snmp', 'latin1'), 'Tcp')
    const more = countersOf(readFileSync('/proc/thread-self/net/netstat', 'latin1'), 'TcpExt')
    const counted = {
      netNs,
      readNs,
      activeOpens: tcp.get('ActiveOpens') ?? Number.NaN,
      passiveOpens: tcp.get('PassiveOpens') ?? Number.NaN,
      attemptFails: tcp.get('AttemptFails') ?? Number.NaN,
      // A connection that overflows a queue counts as a drop, too.
      listenDrops: more.get('ListenDrops') ?? Number.NaN,
    }
    return Object.values(counted).every(Number.isSafeInteger) ? counted : undefined
  } catch {
    return undefined
  }
}

/**
 * A measurement is handed on once all records that are older than it were: then what is missing is missing. As the
 * counters are read first, and the connections that are under way are counted afterwards, each connection that the
 * counters have is among these, or its record is older than the end of the measurement.
 */
class TcpCounters implements Source {
  readonly #context: SourceContext
  /** A measurement, and when it ended. */
  #waiting: { readonly counted: Counted; readonly pending: Pending; readonly endNs: number } | undefined
  #hasBegun = false
  #isStopped = false
  #walkNs = 0

  constructor(context: SourceContext) {
    this.#context = context
  }

  get pollMs(): number {
    return Math.max(POLL_MS, (this.#walkNs * WALK_SHARE) / NS_PER_MS)
  }

  read(): void {
    if (!this.#isStopped && this.#waiting === undefined) this.#measure()
  }

  #measure(): void {
    const { clock } = this.#context
    const counted = readCounters(clock.bootNowNs())
    if (counted === undefined) return
    if (!this.#hasBegun) {
      this.#begin(counted)
      return
    }
    const beginNs = clock.bootNowNs()
    const pending = this.#countPending()
    const endNs = clock.bootNowNs()
    this.#walkNs = endNs - beginNs
    if (pending !== undefined) this.#waiting = { counted, pending, endNs }
  }

  /** What is under way now is not counted: the record is older than the counters, so that nothing is missed for it. */
  #begin(counted: Counted): void {
    if (this.#countPending() === undefined) return
    this.#hasBegun = true
    this.#push(counted, { opening: 0, waiting: 0 }, counted.readNs)
  }

  /** Undefined when they cannot be counted. */
  #countPending(): Pending | undefined {
    let [opening, waiting] = [0, 0]
    try {
      const isWalked = this.#context.walk(PENDING, {
        record: (_words, bytes, offset, length) => {
          const { isOpening, isWaiting } = decodeRecord(
            tcpPendingLayout,
            bytes.subarray(offset, offset + length),
          )
          opening += isOpening
          waiting += isWaiting
        },
      })
      return isWalked ? { opening, waiting } : undefined
    } catch {
      return undefined
    }
  }

  drained(upToNs: number): void {
    const waiting = this.#waiting
    if (waiting === undefined || upToNs < waiting.endNs) return
    this.#waiting = undefined
    this.#push(waiting.counted, waiting.pending, upToNs)
  }

  #push({ readNs, ...counted }: Counted, pending: Pending, timeNs: number): void {
    const values = {
      netNs: counted.netNs,
      readNs: BigInt(readNs),
      activeOpens: BigInt(counted.activeOpens),
      passiveOpens: BigInt(counted.passiveOpens),
      attemptFails: BigInt(counted.attemptFails),
      listenDrops: BigInt(counted.listenDrops),
    }
    this.#context.push(tcpCountsLayout, { timeNs: BigInt(timeNs) }, { ...values, ...pending })
  }

  /** What happened until now is compared, too. */
  stop(): void {
    this.#waiting = undefined
    if (this.#hasBegun) this.#measure()
    this.#isStopped = true
  }

  close(): void {
    // Nothing is open.
  }
}

export const tcpCounters: SourceRung = {
  by: 'source',
  hook: 'proc/net/snmp',
  flavor: 'procfs',
  fills: [tcpCountsLayout],
  open: (context) => new TcpCounters(context),
}
