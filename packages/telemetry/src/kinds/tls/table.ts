/** Connections whose first message is being read. Bounded. */

import type { KindTable } from '../../event/table.js'
import type { Packet } from '../../names/packet.js'
import { type Hello, helloOf, MAX_HELLO_BYTES } from './hello.js'

/** Each has at most one message. */
export const MAX_CONNECTIONS = 256
/** A message in more segments is not read. */
export const MAX_SEGMENTS = 8

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
  readonly #beginnings = new Map<bigint, Beginning>()

  get size(): number {
    return this.#beginnings.size
  }

  /** Takes a segment of a connection; returns its message when all of it has come. */
  take(cookie: bigint, { sequence, payload, payloadBytes }: Packet): Hello | undefined {
    const beginning = this.#beginningOf(cookie, sequence)
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

  #beginningOf(cookie: bigint, sequence: number): Beginning {
    const found = this.#beginnings.get(cookie)
    if (found !== undefined) return found
    for (const [oldest, { isDone }] of this.size >= MAX_CONNECTIONS ? this.#beginnings : []) {
      this.#beginnings.delete(oldest)
      if (!isDone) this.unread += 1
      break
    }
    const beginning = { expected: sequence, bytes: NOTHING, segments: 0, isDone: false }
    this.#beginnings.set(cookie, beginning)
    return beginning
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

function end(beginning: Beginning): void {
  beginning.bytes = NOTHING
  beginning.isDone = true
}
