import type { KindTable } from '../../event/table.js'
import { Completeness } from './completeness.js'
import type { Socket, SocketEnds } from './socket.js'

export interface SocketTableOptions {
  /** How long a closed socket can still be looked up. */
  readonly socketGraceMs: number
  /** Most sockets; beyond it closed ones go first, then those that came first. */
  readonly maxSockets: number
  /** Most bytes of all of them. */
  readonly maxSocketBytes: number
}

/** Of an object, its places in the maps, and what its numbers take, without the text of addresses. */
const FIXED_BYTES = 480
const NS_PER_MS = 1e6

/**
 * The sockets that are open, and those that were closed within the grace time. Bounded by number and bytes. Entries never
 * change: what becomes of a socket replaces its entry.
 */
export class SocketTable implements KindTable {
  /** How what was seen compares with what the kernel counted. */
  readonly completeness = new Completeness()
  readonly #graceNs: number
  readonly #maxSockets: number
  readonly #maxBytes: number
  /** In the order in which they came. */
  readonly #open = new Map<bigint, Socket>()
  /** In the order in which they ended, with the time of that on the clock of `collect`. */
  readonly #ended = new Map<bigint, { readonly socket: Socket; readonly endNs: number }>()
  /** Made when somebody first looks something up by them. */
  #byPid: Index<number> | undefined
  #byEnds: Index<string> | undefined
  #openByPid: Index<number> | undefined
  #sizeBytes = 0
  /** Epoch ns at which the last of those was found that were there before. */
  foundNs = 0n
  /** Open sockets that were forgotten as there were too many. */
  evicted = 0
  /** Closed sockets that were forgotten before their grace time was over. */
  #shortened = 0
  #collected = 0

  constructor({ socketGraceMs, maxSockets, maxSocketBytes }: SocketTableOptions) {
    this.#graceNs = socketGraceMs * NS_PER_MS
    this.#maxSockets = maxSockets
    this.#maxBytes = maxSocketBytes
  }

  get size(): number {
    return this.#open.size + this.#ended.size
  }

  get unseen(): number {
    return this.completeness.unseen
  }

  /** Memory of all sockets, as far as it can be told. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Takes a socket that is open. */
  put(socket: Socket): void {
    this.#forget(socket.socketId)
    this.#open.set(socket.socketId, socket)
    if (socket.pid !== undefined) this.#openByPid?.add(socket.pid, socket.socketId)
    this.#note(socket)
  }

  /** Takes a socket that was closed at a time of CLOCK_BOOTTIME. */
  end(socket: Socket, endNs: number): void {
    this.#forget(socket.socketId)
    if (this.#graceNs === 0) return
    this.#ended.set(socket.socketId, { socket, endNs })
    this.#note(socket)
  }

  get(socketId: bigint): Socket | undefined {
    return this.#open.get(socketId) ?? this.#ended.get(socketId)?.socket
  }

  /** Closed ones last. */
  *all(): IterableIterator<Socket> {
    yield* this.#open.values()
    for (const { socket } of this.#ended.values()) yield socket
  }

  /** Those that a process opened, accepted or was found to have. */
  ofPid(pid: number): Socket[] {
    this.#byPid ??= indexOf(this.all(), ({ pid: owner }) => owner)
    return this.#byPid.of(pid).flatMap((id) => this.get(id) ?? [])
  }

  /** The open ones among those, one after the other: those first that were noted first. */
  *openOfPid(pid: number): IterableIterator<Socket> {
    this.#openByPid ??= indexOf(this.#open.values(), ({ pid: owner }) => owner)
    for (const id of this.#openByPid.each(pid)) {
      const socket = this.#open.get(id)
      if (socket !== undefined) yield socket
    }
  }

  /** The one with these ends; an open one before a closed one. */
  at(ends: SocketEnds): Socket | undefined {
    const { netNs } = ends
    this.#byEnds ??= indexOf(this.all(), endsKey)
    const found = this.#byEnds
      .of(endsKey(ends))
      .flatMap((id) => this.get(id) ?? [])
      .filter((socket) => netNs === undefined || socket.netNs === netNs)
    return found.find(({ closedNs }) => closedNs === undefined) ?? found.at(-1)
  }

  collect(_nowNs: number, settledNs: number): void {
    for (const [id, { endNs }] of this.#ended) {
      if (endNs + this.#graceNs > settledNs) return
      this.#forget(id)
      this.#collected += 1
    }
  }

  collectInNs(nowNs: number): number {
    for (const { endNs } of this.#ended.values()) return Math.max(0, endNs + this.#graceNs - nowNs)
    return Infinity
  }

  stats(): Readonly<Record<string, number>> {
    return {
      size: this.size,
      sizeBytes: this.#sizeBytes,
      evicted: this.evicted,
      shortened: this.#shortened,
      collected: this.#collected,
    }
  }

  #note(socket: Socket): void {
    this.#sizeBytes += bytesOf(socket)
    if (socket.pid !== undefined) this.#byPid?.add(socket.pid, socket.socketId)
    this.#byEnds?.add(endsKey(socket), socket.socketId)
    while (this.size > this.#maxSockets || (this.#sizeBytes > this.#maxBytes && this.size > 1)) this.#evict()
  }

  #evict(): void {
    for (const id of this.#ended.keys()) {
      this.#forget(id)
      this.#shortened += 1
      return
    }
    for (const id of this.#open.keys()) {
      this.#forget(id)
      this.evicted += 1
      return
    }
  }

  #forget(id: bigint): void {
    const socket = this.get(id)
    if (socket === undefined) return
    if (!this.#open.delete(id)) this.#ended.delete(id)
    else if (socket.pid !== undefined) this.#openByPid?.remove(socket.pid, id)
    this.#sizeBytes -= bytesOf(socket)
    if (socket.pid !== undefined) this.#byPid?.remove(socket.pid, id)
    this.#byEnds?.remove(endsKey(socket), id)
  }
}

function bytesOf({ localIp, remoteIp }: Socket): number {
  return FIXED_BYTES + (localIp?.length ?? 0) + (remoteIp?.length ?? 0)
}

/** The key of two ends, whatever their namespace. */
function endsKey(ends: {
  readonly localIp?: string | undefined
  readonly localPort?: number | undefined
  readonly remoteIp?: string | undefined
  readonly remotePort?: number | undefined
}): string {
  const { localIp = '', localPort = 0, remoteIp = '', remotePort = 0 } = ends
  return `${localIp} ${localPort} ${remoteIp} ${remotePort}`
}

function indexOf<K>(sockets: Iterable<Socket>, keyOf: (socket: Socket) => K | undefined): Index<K> {
  const index = new Index<K>()
  for (const socket of sockets) {
    const key = keyOf(socket)
    if (key !== undefined) index.add(key, socket.socketId)
  }
  return index
}

/** Ids of sockets by something that several may share. */
class Index<K> {
  /** Nearly always there is one: it is kept without a set. */
  readonly #ids = new Map<K, bigint | Set<bigint>>()

  add(key: K, id: bigint): void {
    const known = this.#ids.get(key)
    if (known === undefined) this.#ids.set(key, id)
    else if (typeof known === 'object') known.add(id)
    else if (known !== id) this.#ids.set(key, new Set([known, id]))
  }

  remove(key: K, id: bigint): void {
    const known = this.#ids.get(key)
    if (known === id) this.#ids.delete(key)
    if (typeof known !== 'object') return
    known.delete(id)
    if (known.size === 0) this.#ids.delete(key)
  }

  of(key: K): bigint[] {
    return [...this.each(key)]
  }

  *each(key: K): IterableIterator<bigint> {
    const known = this.#ids.get(key)
    if (typeof known === 'object') yield* known
    else if (known !== undefined) yield known
  }
}
