/** Connections whose first message is being read. Bounded. */

import type { Made } from '../../event/forms.js'
import type { KindTable } from '../../event/table.js'
import type { Packet } from '../../names/packet.js'
import type { TlsEvent } from './events.js'
import { type Hello, helloOf, MAX_HELLO_BYTES } from './hello.js'

/** Each has at most one message. */
export const MAX_CONNECTIONS = 256
/** A message in more segments is not read. */
export const MAX_SEGMENTS = 8
/** Messages that were sent here, and may be received here as well. */
const MAX_SENT = 4096
/** A segment that is further away belongs to another connection with the same ports. */
const MAX_DISTANCE = 1 << 20

interface Beginning {
  /** Number of the next byte. */
  expected: number
  /** What came so far; empty when nothing more is wanted. */
  bytes: Buffer
  segments: number
  isDone: boolean
}

/** Puts the first messages of connections together. */
export class HelloTable implements KindTable {
  /** What it forgets is counted in `stats`. */
  readonly evicted = 0
  /** Connections whose message could not be read: cut, in too many parts, with a part missing. */
  unread = 0
  /** Events of the records that are applied now: as many as there are records, at most. */
  readonly ready: Made<TlsEvent>[] = []
  readonly #beginnings = new Map<bigint | string, Beginning>()
  readonly #sent = new Set<string>()

  get size(): number {
    return this.#beginnings.size
  }

  /** Takes a segment that is sent here; returns the message of its connection when all of it has come. */
  takeSent(cookie: bigint, packet: Packet): Hello | undefined {
    const hello = this.#take(cookie, packet)
    if (hello === undefined) return undefined
    for (const oldest of this.#sent.size >= MAX_SENT ? this.#sent : []) {
      this.#sent.delete(oldest)
      break
    }
    this.#sent.add(endsOf(packet))
    return hello
  }

  /** The same of one that is received here, unless it was sent here, too. */
  takeReceived(packet: Packet): Hello | undefined {
    const ends = endsOf(packet)
    const hello = this.#take(ends, packet)
    return hello === undefined || this.#sent.delete(ends) ? undefined : hello
  }

  #take(key: bigint | string, { sequence, payload, payloadBytes }: Packet): Hello | undefined {
    const beginning = this.#beginningOf(key, sequence)
    const { expected, isDone } = beginning
    // Sent once more, or nothing is wanted any more.
    if (isDone || ((sequence - expected) | 0) < 0) return undefined
    if (sequence !== expected) return this.#give(beginning)
    beginning.expected = (sequence + payloadBytes) >>> 0
    beginning.segments += 1
    beginning.bytes = Buffer.concat([beginning.bytes, payload])
    const found = helloOf(beginning.bytes)
    if (found === 'more') {
      const isHopeless =
        payload.length < payloadBytes ||
        beginning.segments === MAX_SEGMENTS ||
        beginning.bytes.length > MAX_HELLO_BYTES
      return isHopeless ? this.#give(beginning) : undefined
    }
    end(beginning)
    return found === 'none' ? undefined : found
  }

  #beginningOf(key: bigint | string, sequence: number): Beginning {
    const found = this.#beginnings.get(key)
    if (found !== undefined && Math.abs((sequence - found.expected) | 0) <= MAX_DISTANCE) return found
    if (found !== undefined) this.#forget(key, found)
    for (const [oldest, { isDone }] of this.size >= MAX_CONNECTIONS ? this.#beginnings : []) {
      this.#forget(oldest, { isDone })
      break
    }
    const beginning = { expected: sequence, bytes: NOTHING, segments: 0, isDone: false }
    this.#beginnings.set(key, beginning)
    return beginning
  }

  #forget(key: bigint | string, { isDone }: Pick<Beginning, 'isDone'>): void {
    this.#beginnings.delete(key)
    if (!isDone) this.unread += 1
  }

  #give(beginning: Beginning): undefined {
    this.unread += 1
    end(beginning)
  }

  /** What is done makes room when that is needed. */
  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return { connections: this.size, unread: this.unread }
  }
}

const NOTHING = Buffer.alloc(0)

function endsOf({ sourceIp, sourcePort, targetIp, targetPort }: Packet): string {
  return `${sourceIp} ${sourcePort} ${targetIp} ${targetPort}`
}

function end(beginning: Beginning): void {
  beginning.bytes = NOTHING
  beginning.isDone = true
}
