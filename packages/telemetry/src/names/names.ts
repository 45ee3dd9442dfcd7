/** Which name an address or a socket was asked for by: kinds that see names write it, kinds of connections read it. */

import type { KindTable } from '../event/table.js'

/**
 * Where a name comes from: what the client of a TLS connection asked for in it, an answer to a question of the same
 * process, or one to a question of another process of its network namespace.
 */
export type NameSource = 'tls' | 'dns' | 'dnsOfOther'

/** A name, and where it comes from. */
export interface KnownName {
  readonly name: string
  readonly source: NameSource
}

/** An address that an answer gave for a name. */
export interface NamedAddress {
  /** As text; an IPv4 address is no mapped one. */
  readonly ip: string
  readonly name: string
  /** How long the answer counts, in seconds. */
  readonly ttlS: number
  readonly netNs: number | undefined
  /** Who asked. */
  readonly pid: number | undefined
}

/** One end of a connection that a process opened. */
export interface NamedConnection {
  readonly socketId: bigint
  readonly netNs: number | undefined
  readonly pid: number | undefined
  readonly remoteIp: string | undefined
}

interface AddressName {
  readonly name: string
  readonly pid: number | undefined
  readonly untilNs: number
}

/** Addresses that are kept, and as many sockets. */
export const MAX_NAMED = 16_384
/** Names of one address: whole sites share some. */
export const MAX_NAMES_OF_ADDRESS = 8
/** Programs use an address longer than they should; shorter times count as this, in seconds. */
export const LEAST_TTL_S = 300
/** Longer times count as a day. */
export const MOST_TTL_S = 86_400
/** No name is longer, written with escapes. */
const MAX_NAME_LENGTH = 1024
const NS_PER_S = 1e9

/**
 * Names of addresses, by network namespace, and of sockets. Both are bounded: what was written longest ago goes first.
 * Times are ns of CLOCK_BOOTTIME.
 */
export class Names implements KindTable {
  /** What it forgets is counted in `stats`, and loses no event. */
  readonly evicted = 0
  readonly #ofAddress = new Map<string, readonly AddressName[]>()
  readonly #ofSocket = new Map<bigint, string>()
  #forgotten = 0

  get size(): number {
    return this.#ofAddress.size + this.#ofSocket.size
  }

  /** Takes an address of an answer. Names that are too long are left out. */
  setAddress({ ip, name, ttlS, netNs, pid }: NamedAddress, nowNs: number): void {
    if (name.length > MAX_NAME_LENGTH) return
    const key = keyOf(ip, netNs)
    const untilNs = nowNs + Math.min(Math.max(ttlS, LEAST_TTL_S), MOST_TTL_S) * NS_PER_S
    const others = (this.#ofAddress.get(key) ?? []).filter(
      (known) => known.untilNs > nowNs && (known.name !== name || known.pid !== pid),
    )
    // The latest is the first.
    this.#put(this.#ofAddress, key, [{ name, pid, untilNs }, ...others.slice(0, MAX_NAMES_OF_ADDRESS - 1)])
  }

  /** Takes the name that the client of a connection asked for. */
  setSocket(socketId: bigint, name: string): void {
    if (name.length <= MAX_NAME_LENGTH) this.#put(this.#ofSocket, socketId, name)
  }

  /** The name of the other end; undefined when none is known, or none any more. */
  find({ socketId, netNs, pid, remoteIp }: NamedConnection, nowNs: number): KnownName | undefined {
    if (this.size === 0) return undefined
    const asked = this.#ofSocket.get(socketId)
    if (asked !== undefined) return { name: asked, source: 'tls' }
    if (remoteIp === undefined) return undefined
    const known = this.#ofAddress.get(keyOf(remoteIp, netNs))?.filter(({ untilNs }) => untilNs > nowNs) ?? []
    const own = pid === undefined ? undefined : known.find((one) => one.pid === pid)
    if (own !== undefined) return { name: own.name, source: 'dns' }
    const [latest] = known
    return latest === undefined ? undefined : { name: latest.name, source: 'dnsOfOther' }
  }

  #put<K, V>(map: Map<K, V>, key: K, value: V): void {
    map.delete(key)
    // A map has its entries in the order in which they were put.
    for (const oldest of map.size >= MAX_NAMED ? map.keys() : []) {
      map.delete(oldest)
      this.#forgotten += 1
      break
    }
    map.set(key, value)
  }

  /** Names that have expired are not found, and make room when it is needed. */
  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return { addresses: this.#ofAddress.size, sockets: this.#ofSocket.size, forgotten: this.#forgotten }
  }
}

function keyOf(ip: string, netNs: number | undefined): string {
  return `${netNs ?? ''} ${ip}`
}
