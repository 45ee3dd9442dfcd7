/** Messages of the DNS and packets with them, written without what reads them. */

/** Bytes of a name: each label behind its length, and the end. */
export function wireName(...labels: readonly string[]): Buffer {
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ])
}

/** Numbers of two bytes. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [at, value] of values.entries()) bytes.writeUInt16BE(value & 0xffff, at * 2)
  return bytes
}

/** Bits of the header. */
export const ANSWER_FLAGS = 0x8180
export const QUERY_FLAGS = 0x0100
/** A pointer to the name of the question. */
export const QUESTION_NAME = words(0xc00c)

interface Wire {
  readonly id?: number
  readonly flags?: number
  /** As they are; the header has their numbers unless others are given. */
  readonly questions?: readonly Buffer[]
  readonly answers?: readonly Buffer[]
  readonly additionals?: readonly Buffer[]
  readonly counts?: readonly [number, number, number, number]
}

export function wireMessage({
  id = 0x1234,
  flags = QUERY_FLAGS,
  questions = [question()],
  answers = [],
  additionals = [],
  counts = [questions.length, answers.length, 0, additionals.length],
}: Wire = {}): Buffer {
  return Buffer.concat([words(id, flags, ...counts), ...questions, ...answers, ...additionals])
}

export function question(name = wireName('www', 'Example', 'org'), type = 1): Buffer {
  return Buffer.concat([name, words(type, 1)])
}

/** A record whose owner is what is asked for. */
export function wireRecord(type: number, data: Buffer, ttlS = 60, owner = QUESTION_NAME): Buffer {
  return Buffer.concat([owner, words(type, 1, ttlS >>> 16, ttlS, data.length), data])
}

export interface WirePacket {
  readonly from?: readonly [ip: readonly number[], port: number]
  readonly to?: readonly [ip: readonly number[], port: number]
  readonly payload: Buffer
  /** Of a segment of TCP; a datagram of UDP without. */
  readonly sequence?: number
  readonly flags?: number
  /** Behind the header of IPv4, or headers between that of IPv6 and the transport; the first byte is what follows. */
  readonly options?: Buffer
  /** Field of IPv4 about fragments. */
  readonly fragment?: number
  readonly firstHeader?: number
}

const CLIENT: readonly [readonly number[], number] = [[192, 0, 2, 7], 50_250]
const SERVER: readonly [readonly number[], number] = [[192, 0, 2, 53], 53]

/** A packet of IPv4, or of IPv6 if the addresses have 16 bytes. */
export function wirePacket(wire: WirePacket): Buffer {
  const { from = CLIENT, to = SERVER, payload, sequence, flags = 0x18, options = Buffer.alloc(0) } = wire
  const protocol = sequence === undefined ? 17 : 6
  const transport =
    sequence === undefined
      ? words(from[1], to[1], payload.length + 8, 0)
      : words(from[1], to[1], sequence >>> 16, sequence, 0, 0, 0x5000 | flags, 1024, 0, 0)
  const addresses = Buffer.from([...from[0], ...to[0]])
  const length = options.length + transport.length + payload.length
  const network =
    from[0].length === 4
      ? Buffer.concat([
          Buffer.from([0x45 + options.length / 4, 0]),
          words(20 + length, 0, wire.fragment ?? 0x4000),
          Buffer.from([64, protocol, 0, 0]),
        ])
      : Buffer.concat([words(0x6000, 0, length), Buffer.from([wire.firstHeader ?? protocol, 64])])
  return Buffer.concat([network, addresses, options, transport, payload])
}
