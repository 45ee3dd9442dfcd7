/** Which name an address or a socket was asked for by: kinds that see names write it, kinds of connections read it. */

import type { KindTable } from '../event/table.js'

/**
 * Where a name comes from: what the client of a TLS connection asked for in it, an answer to a question of the same
 * process, or one to a question of another process, of its user or of the system, in its network namespace.
 */
export type NameSource = 'tls' | 'dns' | 'dnsOfOther'

/** A name, and where it comes from. */
export interface KnownName {
  readonly name: string
  readonly source: NameSource
}

/** A process that asks for names, or that connects. */
export interface NameUser {
  readonly pid: number
  /** Ticks from boot to its start, which distinguish it from others that had its pid; undefined when not known. */
  readonly startTicks: number | undefined
  /** Real user id; undefined when it is not known, or when its answers are to count for nobody else. */
  readonly uid: number | undefined
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
  readonly asker: NameUser
}

/** One end of a connection that a process opened. */
export interface NamedConnection {
  readonly socketId: bigint
  readonly netNs: number | undefined
  readonly opener: NameUser | undefined
  readonly remoteIp: string | undefined
}

interface AddressName {
  readonly name: string
  readonly pid: number
  readonly startTicks: number | undefined
  readonly sinceNs: number
  readonly untilNs: number
}

/** Addresses by their keys; each with its names, the latest first. */
type Addresses = Map<string, readonly AddressName[]>

/** Addresses that are kept, and as many sockets. */
export const MAX_NAMED = 16_384
/** Addresses that are kept of what one user asked: the others keep their part, whatever one asks for. */
export const MAX_NAMED_OF_USER = MAX_NAMED / 2
/** Users whose addresses are kept. */
export const MAX_USERS = 16
/** Names of one address that one user asked for: whole sites share some. */
export const MAX_NAMES_OF_ADDRESS = 8
/** Programs use an address longer than they should; shorter times count as this, in seconds. */
export const LEAST_TTL_S = 300
/** Longer times count as a day. */
export const MOST_TTL_S = 86_400
/** No name is longer, written with escapes. */
const MAX_NAME_LENGTH = 1024
/** Root, and accounts of the system: resolvers, which ask for everybody, are theirs. */
const FIRST_PERSON_UID = 1000
const UNKNOWN_UID = -1
const NS_PER_S = 1e9

/**
 * Names of addresses, by network namespace and by the user who asked, and of sockets. What somebody asked for is a name of
 * their own connections, and of others only if they are of the same user, or if the system asked. All is bounded: what
 * was written longest ago goes first. Times are ns of CLOCK_BOOTTIME.
 */
export class Names implements KindTable {
  /** What it forgets is counted in `stats`, and loses no event. */
  readonly evicted = 0
  /** By user; who asked last is the last. */
  readonly #ofUser = new Map<number, Addresses>()
  readonly #ofSocket = new Map<bigint, string>()
  #addresses = 0
  #forgotten = 0

  get size(): number {
    return this.#addresses + this.#ofSocket.size
  }

  /** Takes an address of an answer. Names that are too long are left out. */
  setAddress({ ip, name, ttlS, netNs, asker }: NamedAddress, nowNs: number): void {
    if (name.length > MAX_NAME_LENGTH) return
    const { pid, startTicks } = asker
    const key = keyOf(ip, netNs)
    const untilNs = nowNs + Math.min(Math.max(ttlS, LEAST_TTL_S), MOST_TTL_S) * NS_PER_S
    const addresses = this.#addressesOf(asker.uid ?? UNKNOWN_UID)
    const others = (addresses.get(key) ?? []).filter(
      (known) => known.untilNs > nowNs && (known.name !== name || !isOf(known, asker)),
    )
    if (addresses.delete(key)) this.#addresses -= 1
    this.#makeRoom(addresses)
    addresses.set(key, [
      { name, pid, startTicks, sinceNs: nowNs, untilNs },
      ...others.slice(0, MAX_NAMES_OF_ADDRESS - 1),
    ])
    this.#addresses += 1
  }

  #addressesOf(uid: number): Addresses {
    const addresses: Addresses = this.#ofUser.get(uid) ?? new Map()
    this.#ofUser.delete(uid)
    if (this.#ofUser.size === MAX_USERS) this.#forgetUser()
    this.#ofUser.set(uid, addresses)
    return addresses
  }

  /** Who asked longest ago has no addresses any more. */
  #forgetUser(): void {
    for (const [uid, { size }] of this.#ofUser) {
      this.#ofUser.delete(uid)
      this.#addresses -= size
      this.#forgotten += size
      return
    }
  }

  /** For one more address of a user, who is the last. */
  #makeRoom(own: Addresses): void {
    if (own.size >= MAX_NAMED_OF_USER) this.#forgetOldest(own)
    if (this.#addresses < MAX_NAMED) return
    for (const addresses of this.#ofUser.values()) {
      if (addresses.size === 0) continue
      this.#forgetOldest(addresses)
      return
    }
  }

  #forgetOldest(addresses: Addresses): void {
    if (!forgetOldest(addresses)) return
    this.#addresses -= 1
    this.#forgotten += 1
  }

  /** Takes the name that the client of a connection asked for. */
  setSocket(socketId: bigint, name: string): void {
    if (name.length > MAX_NAME_LENGTH) return
    this.#ofSocket.delete(socketId)
    if (this.#ofSocket.size >= MAX_NAMED && forgetOldest(this.#ofSocket)) this.#forgotten += 1
    this.#ofSocket.set(socketId, name)
  }

  /**
   * The name of the other end; undefined when none is known, or none any more, or when others asked for several: which one is
   * meant is not known then.
   */
  find({ socketId, netNs, opener, remoteIp }: NamedConnection, nowNs: number): KnownName | undefined {
    if (this.size === 0) return undefined
    const asked = this.#ofSocket.get(socketId)
    if (asked !== undefined) return { name: asked, source: 'tls' }
    if (remoteIp === undefined) return undefined
    const key = keyOf(remoteIp, netNs)
    let own: AddressName | undefined
    let shared: string | undefined
    let isSure = true
    for (const [uid, addresses] of this.#ofUser) {
      for (const known of addresses.get(key) ?? []) {
        if (known.untilNs <= nowNs) continue
        if (opener !== undefined && isOf(known, opener)) {
          if (own === undefined || known.sinceNs > own.sinceNs) own = known
          break
        }
        if (!isShared(uid, opener?.uid)) continue
        if (shared !== undefined && shared !== known.name) isSure = false
        shared = known.name
      }
    }
    if (own !== undefined) return { name: own.name, source: 'dns' }
    return shared === undefined || !isSure ? undefined : { name: shared, source: 'dnsOfOther' }
  }

  /** Names that have expired are not found, and make room when it is needed. */
  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return { addresses: this.#addresses, sockets: this.#ofSocket.size, forgotten: this.#forgotten }
  }
}

/** Removes the first entry. A map has its entries in the order in which they were put. */
function forgetOldest(map: Map<unknown, unknown>): boolean {
  for (const oldest of map.keys()) return map.delete(oldest)
  return false
}

function isOf(known: AddressName, { pid, startTicks }: NameUser): boolean {
  const isSameStart =
    known.startTicks === undefined || startTicks === undefined || known.startTicks === startTicks
  return known.pid === pid && isSameStart
}

/** Whether what one user asked for names connections of another process. */
function isShared(asker: number, opener: number | undefined): boolean {
  return asker !== UNKNOWN_UID && (asker === opener || asker < FIRST_PERSON_UID)
}

function keyOf(ip: string, netNs: number | undefined): string {
  return `${netNs ?? ''} ${ip}`
}
