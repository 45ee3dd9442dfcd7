/** Questions that wait for their answers, streams of TCP, and events that wait to be taken. Bounded. */

import type { Made } from '../../event/forms.js'
import type { KindTable } from '../../event/table.js'
import type { DnsEvent } from './events.js'
import { type EventOptions, type Exchange, eventOf, isOutbound, type SeenMessage } from './exchange.js'
import { PLACE_RECEIVED, PLACE_SENT } from './records.js'
import { Streams } from './streams.js'

/** Questions that are remembered, answered ones included. */
export const MAX_EXCHANGES = 4096
/** Messages of records that are applied together: each is an event at most. */
export const MAX_EVENTS = 256
/** A packet that is seen so soon again went through several devices. */
const SAME_PACKET_NS = 1_000_000n

/** Finds which messages belong together. */
export class DnsTable implements KindTable {
  /** Messages for which there was no room. */
  evicted = 0
  /** Datagrams whose rest was in other packets. */
  fragments = 0
  /** Packets without a message. */
  undecoded = 0
  readonly streams: Streams
  readonly #exchanges = new Map<string, Exchange>()
  #ready: { readonly exchange: Exchange; readonly isAnswerOnly: boolean }[] = []
  #forgotten = 0

  /** @param maxBytes so much is kept of a message over TCP */
  constructor(maxBytes: number) {
    this.streams = new Streams(maxBytes)
  }

  get size(): number {
    return this.#exchanges.size
  }

  /** Takes a message of the records that are applied now. Returns the exchange whose answer it is, if it is one. */
  take(seen: SeenMessage): Exchange | undefined {
    const key = `${seen.transport} ${seen.clientIp} ${seen.clientPort} ${seen.serverPort} ${seen.message.id}`
    const found = this.#exchanges.get(key)
    return seen.message.isAnswer ? this.#takeAnswer(key, seen, found) : this.#takeQuery(key, seen, found)
  }

  #takeQuery(key: string, seen: SeenMessage, found: Exchange | undefined): undefined {
    const before = found?.query
    if (found === undefined || before === undefined || !isSameQuestion(before, seen)) {
      this.#begin(key, seen, 1)
      return
    }
    if (seen.place === PLACE_RECEIVED) {
      // The other end of what was sent, or another one who listens; else it was asked again.
      const isCopy = before.place === PLACE_SENT || before.cookie !== seen.cookie
      if (!isCopy) this.#again(key, found, seen)
      return
    }
    const isCopy = before.cookie === seen.cookie && seen.timeNs - before.timeNs < SAME_PACKET_NS
    if (before.place === PLACE_RECEIVED || (isCopy && seen.transport === 'udp')) return
    this.#again(key, found, seen)
  }

  /** A question is asked once more. */
  #again(key: string, found: Exchange, seen: SeenMessage): void {
    if (found.answer !== undefined || seen.transport === 'tcp') this.#begin(key, seen, 1)
    else if (found.isDelivered) this.#begin(key, seen, found.attempts + 1)
    else found.attempts += 1
  }

  #begin(key: string, query: SeenMessage, attempts: number): void {
    const exchange: Exchange = {
      query,
      answer: undefined,
      attempts,
      serverPid: undefined,
      isDelivered: false,
    }
    this.#keep(key, exchange)
    this.#offer(exchange, false)
  }

  #takeAnswer(key: string, seen: SeenMessage, found: Exchange | undefined): Exchange | undefined {
    const { query, answer } = found ?? {}
    if (found === undefined || (query !== undefined && !isAnswerTo(query, seen))) {
      return this.#alone(key, seen, found === undefined)
    }
    if (answer !== undefined) {
      // Both ends of what was sent here, and all who listen, see the same.
      const isCopy =
        isSameAnswer(answer, seen) && (answer.place === PLACE_SENT || answer.cookie !== seen.cookie)
      return isCopy ? undefined : this.#alone(key, seen, false)
    }
    found.answer = seen
    if (seen.place === PLACE_SENT && isOutbound(found)) found.serverPid = seen.pid
    if (!found.isDelivered) return found
    found.isDelivered = false
    this.#offer(found, true)
    return found
  }

  /** An answer to a question that was not seen. */
  #alone(key: string, answer: SeenMessage, isKept: boolean): Exchange {
    const exchange: Exchange = {
      query: undefined,
      answer,
      attempts: 1,
      serverPid: undefined,
      isDelivered: false,
    }
    if (isKept) this.#keep(key, exchange)
    this.#offer(exchange, true)
    return exchange
  }

  #keep(key: string, exchange: Exchange): void {
    // The latest one is the last.
    this.#exchanges.delete(key)
    for (const oldest of this.#exchanges.size >= MAX_EXCHANGES ? this.#exchanges.keys() : []) {
      this.#exchanges.delete(oldest)
      this.#forgotten += 1
      break
    }
    this.#exchanges.set(key, exchange)
  }

  #offer(exchange: Exchange, isAnswerOnly: boolean): void {
    if (this.#ready.length < MAX_EVENTS) this.#ready.push({ exchange, isAnswerOnly })
    else this.evicted += 1
  }

  /** The next event of what was taken. */
  next(options: Omit<EventOptions, 'isAnswerOnly'>): Made<DnsEvent> | undefined {
    const ready = this.#ready.shift()
    if (ready === undefined) return undefined
    const { exchange, isAnswerOnly } = ready
    exchange.isDelivered = true
    const event = eventOf(exchange, { ...options, isAnswerOnly })
    release(exchange)
    return event
  }

  /** Questions stay until there is no room: an answer may come late. */
  collect(): void {}

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return {
      exchanges: this.size,
      forgotten: this.#forgotten,
      streams: this.streams.size,
      lostStreams: this.streams.lost,
      fragments: this.fragments,
      undecoded: this.undecoded,
      evicted: this.evicted,
    }
  }
}

const NO_BYTES = Buffer.alloc(0)

/** What an event has need not be kept for the next one. */
function release(exchange: Exchange): void {
  const { answer } = exchange
  if (answer === undefined) return
  exchange.answer = { ...answer, bytes: NO_BYTES, process: undefined }
  if (exchange.query !== undefined)
    exchange.query = { ...exchange.query, bytes: NO_BYTES, process: undefined }
}

function isSameQuestion(a: SeenMessage, b: SeenMessage): boolean {
  return a.wholeBytes === b.wholeBytes && isEqualQuestion(a, b) && a.serverIp === b.serverIp
}

function isEqualQuestion({ message: a }: SeenMessage, { message: b }: SeenMessage): boolean {
  return a.question?.name === b.question?.name && a.question?.type === b.question?.type
}

/** Answers need not repeat the question; one to a group comes from one of it. */
function isAnswerTo(query: SeenMessage, answer: SeenMessage): boolean {
  const isServer = query.serverIp === answer.serverIp || isGroup(query.serverIp)
  return isServer && (answer.message.question === undefined || isEqualQuestion(query, answer))
}

function isSameAnswer(a: SeenMessage, b: SeenMessage): boolean {
  return a.wholeBytes === b.wholeBytes && a.serverIp === b.serverIp && a.message.rcode === b.message.rcode
}

/** Addresses of groups: 224.0.0.0/4 and ff00::/8. */
function isGroup(ip: string): boolean {
  const first = Number(ip.slice(0, 3))
  return ip.startsWith('ff') || (first >= 224 && first <= 239)
}
