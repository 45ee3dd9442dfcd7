/** Messages over TCP: each behind its length, in segments of any size. */

import type { Packet } from '../../names/packet.js'

/** Streams that are read at the same time; a connection has two. */
export const MAX_STREAMS = 1024
/** Segments that came too early and wait, of one stream. */
const MAX_WAITING = 8
/** A segment further away belongs to another connection with the same ports. */
const MAX_DISTANCE = 1 << 20
/** The header of a message. */
const LEAST_MESSAGE_BYTES = 12
const FIRST_BUFFER_BYTES = 512

/** Where a segment was seen. */
export interface SegmentEnd {
  readonly place: number
  readonly cookie: bigint
  readonly netNs: number | undefined
}

/** Takes a message, of which not all may be there. */
export type TakeMessage = (bytes: Buffer, wholeBytes: number) => void

interface Segment {
  readonly sequence: number
  readonly payload: Buffer
  readonly payloadBytes: number
}

interface Stream extends SegmentEnd {
  /** Number of the next byte. */
  expected: number
  /** Where messages begin is not known any more. */
  isUnsure: boolean
  /** The first byte of a length; -1 for none. */
  high: number
  /** Length of the message that is read; 0 between messages. */
  wholeBytes: number
  readBytes: number
  buffer: Buffer
  keptBytes: number
  waiting: Segment[]
}

/** All streams. Each is read at one end: what the other end sees of it is the same. */
export class Streams {
  /** Times that the beginning of messages was lost. */
  lost = 0
  readonly #streams = new Map<string, Stream>()
  readonly #maxBytes: number

  /** @param maxBytes so much is kept of a message */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#streams.size
  }

  take(packet: Packet, end: SegmentEnd, message: TakeMessage): void {
    const key = `${end.netNs ?? ''} ${packet.sourceIp} ${packet.sourcePort} ${packet.targetIp} ${packet.targetPort}`
    const stream = this.#streamOf(key, packet, end)
    if (stream === undefined) return
    this.#read(stream, packet, message)
    for (let next = takeNext(stream); next !== undefined; next = takeNext(stream)) {
      this.#read(stream, next, message)
    }
    // The message does not end. The stream stays: what the other end sees of it comes later.
    if (packet.isLast && stream.wholeBytes !== 0 && stream.waiting.length === 0) this.#lose(stream)
  }

  #streamOf(key: string, { sequence }: Packet, end: SegmentEnd): Stream | undefined {
    const found = this.#streams.get(key)
    if (found !== undefined && found.place !== end.place) return undefined
    const isSame =
      found !== undefined &&
      found.cookie === end.cookie &&
      Math.abs((sequence - found.expected) | 0) <= MAX_DISTANCE
    // The last one that was used is the last.
    this.#streams.delete(key)
    const stream = isSame ? found : newStream(end, sequence)
    for (const [oldest, { wholeBytes }] of this.#streams.size >= MAX_STREAMS ? this.#streams : []) {
      this.#streams.delete(oldest)
      if (wholeBytes !== 0) this.lost += 1
      break
    }
    this.#streams.set(key, stream)
    return stream
  }

  #read(stream: Stream, { sequence, payload, payloadBytes }: Segment, message: TakeMessage): void {
    const ahead = (sequence - stream.expected) | 0
    if (ahead > 0) {
      if (stream.waiting.length < MAX_WAITING) {
        stream.waiting.push({ sequence, payload: Buffer.from(payload), payloadBytes })
        return
      }
      this.#lose(stream)
      stream.waiting = []
      stream.expected = sequence
    }
    // What came before already.
    const skip = Math.max(0, -ahead)
    if (skip >= payloadBytes) return
    stream.expected = (sequence + payloadBytes) >>> 0
    const rest = payload.subarray(Math.min(skip, payload.length))
    if (stream.isUnsure) {
      const isWhole = rest.length >= 2 && rest.readUInt16BE(0) === rest.length - 2
      if (!isWhole || rest.length !== payloadBytes - skip) return
      stream.isUnsure = false
    }
    this.#readBytes(stream, rest, message)
    this.#skipBytes(stream, payloadBytes - skip - rest.length, message)
  }

  #readBytes(stream: Stream, bytes: Buffer, message: TakeMessage): void {
    let at = 0
    while (at < bytes.length) {
      if (stream.wholeBytes === 0) {
        if (stream.high === -1) {
          stream.high = bytes[at] as number
          at += 1
          continue
        }
        stream.wholeBytes = (stream.high << 8) | (bytes[at] as number)
        stream.high = -1
        at += 1
        if (stream.wholeBytes < LEAST_MESSAGE_BYTES) {
          this.#lose(stream)
          return
        }
        continue
      }
      const count = Math.min(stream.wholeBytes - stream.readBytes, bytes.length - at)
      this.#keep(stream, bytes.subarray(at, at + count))
      at += count
      this.#advance(stream, count, message)
    }
  }

  /** Bytes that were sent, and not kept in their record. */
  #skipBytes(stream: Stream, count: number, message: TakeMessage): void {
    if (count === 0 || stream.isUnsure) return
    const left = stream.wholeBytes - stream.readBytes
    if (stream.wholeBytes === 0 || count > left) {
      if (stream.wholeBytes !== 0) this.#advance(stream, left, message)
      this.#lose(stream)
      return
    }
    this.#advance(stream, count, message)
  }

  #keep(stream: Stream, bytes: Buffer): void {
    const room = Math.min(stream.wholeBytes, this.#maxBytes)
    // What follows a hole cannot be decoded.
    if (stream.keptBytes !== stream.readBytes || stream.keptBytes === room) return
    const count = Math.min(bytes.length, room - stream.keptBytes)
    const wanted = stream.keptBytes + count
    if (wanted > stream.buffer.length) {
      const grown = Buffer.alloc(
        Math.min(room, Math.max(wanted, stream.buffer.length * 2, FIRST_BUFFER_BYTES)),
      )
      stream.buffer.copy(grown, 0, 0, stream.keptBytes)
      stream.buffer = grown
    }
    bytes.copy(stream.buffer, stream.keptBytes, 0, count)
    stream.keptBytes = wanted
  }

  #advance(stream: Stream, count: number, message: TakeMessage): void {
    stream.readBytes += count
    if (stream.readBytes < stream.wholeBytes) return
    const { buffer, keptBytes, wholeBytes } = stream
    restart(stream)
    message(buffer.subarray(0, keptBytes), wholeBytes)
  }

  #lose(stream: Stream): void {
    this.lost += 1
    restart(stream)
    stream.isUnsure = true
  }
}

const NOTHING = Buffer.alloc(0)

function newStream({ place, cookie, netNs }: SegmentEnd, sequence: number): Stream {
  return {
    place,
    cookie,
    netNs,
    expected: sequence,
    isUnsure: false,
    high: -1,
    wholeBytes: 0,
    readBytes: 0,
    buffer: NOTHING,
    keptBytes: 0,
    waiting: [],
  }
}

/** The next message begins. */
function restart(stream: Stream): void {
  stream.high = -1
  stream.wholeBytes = 0
  stream.readBytes = 0
  stream.keptBytes = 0
  stream.buffer = NOTHING
}

/** A segment that has waited until now. */
function takeNext(stream: Stream): Segment | undefined {
  const { waiting, expected } = stream
  const at = waiting.findIndex(({ sequence }) => ((sequence - expected) | 0) <= 0)
  return at === -1 ? undefined : waiting.splice(at, 1)[0]
}
