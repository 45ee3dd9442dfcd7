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
/** Namespaces in which the same address and port ask with the same number. */
const MAX_NAMESPACES = 4
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
  /** By what their messages have in common: one of each network namespace, as those may have the same addresses. */
  readonly #exchanges = new Map<string, Exchange[]>()
  #size = 0
  #ready: { readonly exchange: Exchange; readonly isAnswerOnly: boolean }[] = []
  #forgotten = 0
  /** Packets are seen when they are received, too. */
  #seesReceived = false

  /** @param maxBytes so much is kept of a message over TCP */
  constructor(maxBytes: number) {
    this.streams = new Streams(maxBytes)
  }

  get size(): number {
    return this.#size
  }

  /**
   * Takes a message of the records that are applied now. Returns the exchange whose answer it is, if it is the one that
   * the process got that asked.
   */
  take(seen: SeenMessage): Exchange | undefined {
    if (seen.place === PLACE_RECEIVED) this.#seesReceived = true
    const key = `${seen.transport} ${seen.clientIp} ${seen.clientPort} ${seen.serverPort} ${seen.message.id}`
    const all = this.#exchanges.get(key) ?? NONE
    const found = all.find((one) => isSameNs(netNsOf(one), seen.netNs))
    if (seen.message.isAnswer) return this.#takeAnswer(key, seen, found, all)
    this.#takeQuery(key, seen, found, all)
    return undefined
  }

  #takeQuery(key: string, seen: SeenMessage, found: Exchange | undefined, all: readonly Exchange[]): void {
    const before = found?.query
    if (found === undefined || before === undefined || !isSameQuestion(before, seen)) {
      // A server in another namespace is asked.
      const asked =
        seen.place === PLACE_RECEIVED ? all.find(({ query }) => isReachedBy(query, seen)) : undefined
      if (asked === undefined) this.#begin(key, seen, 1)
      else asked.serverNetNs = seen.netNs
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
    const exchange = newExchange(query, undefined, attempts)
    this.#keep(key, exchange)
    this.#offer(exchange, false)
  }

  #takeAnswer(
    key: string,
    seen: SeenMessage,
    found: Exchange | undefined,
    all: readonly Exchange[],
  ): Exchange | undefined {
    const { query, answer } = found ?? {}
    if (
      found === undefined ||
      (query !== undefined && !isAnswerTo(query, seen)) ||
      isElsewhere(query, seen)
    ) {
      const asked = seen.place === PLACE_SENT ? all.find((one) => this.#isServed(one, seen)) : undefined
      if (asked === undefined) this.#alone(key, seen, found === undefined)
      else this.#takeSent(asked, seen)
      return undefined
    }
    const isGot = query !== undefined && isAnswerOf(query, seen)
    if (answer !== undefined) {
      // What looked like it, or a server in another namespace sent, stands for it until the process has got it.
      if (isGot && !isAnswerOf(query, answer)) {
        const isNews = found.isDelivered && !isSameAnswer(answer, seen)
        found.answer = seen
        if (isNews) this.#offerAgain(found)
        return found
      }
      // Both ends of what was sent here, and all who listen, see the same.
      const isCopy =
        isSameAnswer(answer, seen) && (answer.place === PLACE_SENT || answer.cookie !== seen.cookie)
      if (!isCopy) this.#alone(key, seen, false)
      return undefined
    }
    this.#answer(found, seen)
    return isGot ? found : undefined
  }

  /** A server in another namespace sends an answer. */
  #takeSent(asked: Exchange, seen: SeenMessage): void {
    if (asked.answer === undefined) this.#answer(asked, seen)
    asked.serverPid = seen.pid
  }

  #answer(found: Exchange, seen: SeenMessage): void {
    found.answer = seen
    if (seen.place === PLACE_SENT && isOutbound(found)) found.serverPid = seen.pid
    if (found.isDelivered) this.#offerAgain(found)
  }

  #offerAgain(found: Exchange): void {
    found.isDelivered = false
    this.#offer(found, true)
  }

  /** Whether an answer comes from where the question was received; where that is not seen, it may. */
  #isServed({ query, serverNetNs }: Exchange, answer: SeenMessage): boolean {
    if (query?.place !== PLACE_SENT || !isAnswerTo(query, answer)) return false
    return this.#seesReceived ? serverNetNs !== undefined && serverNetNs === answer.netNs : true
  }

  /** An answer to a question that was not seen. */
  #alone(key: string, answer: SeenMessage, isKept: boolean): void {
    const exchange = newExchange(undefined, answer, 1)
    if (isKept) this.#keep(key, exchange)
    this.#offer(exchange, true)
  }

  #keep(key: string, exchange: Exchange): void {
    const netNs = netNsOf(exchange)
    const before = this.#exchanges.get(key) ?? []
    // One that is begun again takes the place of the one before.
    const others = before.filter((one) => !isSameNs(netNsOf(one), netNs))
    if (others.length === MAX_NAMESPACES) {
      others.shift()
      this.#forgotten += 1
    }
    this.#exchanges.delete(key)
    this.#size -= before.length
    for (const [oldest, { length }] of this.#size + others.length >= MAX_EXCHANGES ? this.#exchanges : []) {
      this.#exchanges.delete(oldest)
      this.#size -= length
      this.#forgotten += length
      break
    }
    // The latest one is the last.
    others.push(exchange)
    this.#exchanges.set(key, others)
    this.#size += others.length
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
const NONE: readonly Exchange[] = []

function newExchange(
  query: SeenMessage | undefined,
  answer: SeenMessage | undefined,
  attempts: number,
): Exchange {
  return { query, answer, attempts, serverPid: undefined, serverNetNs: undefined, isDelivered: false }
}

function netNsOf({ query, answer }: Exchange): number | undefined {
  return (query ?? answer)?.netNs
}

/** What is not known agrees with anything. */
function isSameNs(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b
}

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

/**
 * Whether another socket than the one that asked received it, in a network namespace that is not known: it may be anybody's,
 * who has the same address there.
 */
function isElsewhere(query: SeenMessage | undefined, answer: SeenMessage): boolean {
  if (query?.place !== PLACE_SENT || answer.place !== PLACE_RECEIVED) return false
  return answer.netNs === undefined && answer.cookie !== query.cookie
}

/** Whether a question was sent elsewhere, and is received here. */
function isReachedBy(query: SeenMessage | undefined, seen: SeenMessage): boolean {
  return query?.place === PLACE_SENT && isSameQuestion(query, seen)
}

/**
 * Whether it is the answer that the process gets that asked: at its socket, or sent by a server of its own namespace, where
 * nobody sends from an address and a port of somebody else.
 */
function isAnswerOf(query: SeenMessage, answer: SeenMessage): boolean {
  if (query.place !== PLACE_SENT || query.netNs !== answer.netNs) return false
  if (answer.message.question === undefined || !isEqualQuestion(query, answer)) return false
  return answer.place === PLACE_SENT || answer.cookie === query.cookie
}

function isSameAnswer(a: SeenMessage, b: SeenMessage): boolean {
  return a.wholeBytes === b.wholeBytes && a.serverIp === b.serverIp && a.message.rcode === b.message.rcode
}

/** Addresses of groups: 224.0.0.0/4 and ff00::/8. */
export function isGroup(ip: string): boolean {
  const first = Number(ip.slice(0, 3))
  return ip.startsWith('ff') || (first >= 224 && first <= 239)
}
