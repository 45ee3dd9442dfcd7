/** The little of Protocol Buffers that CRI needs: strings, messages, and maps of strings. */

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5
const MAX_VARINT_BYTES = 10

/** Bytes that are no message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

/** Fields that are bytes: strings, messages, entries of maps. */
export type MessageFields = ReadonlyMap<number, readonly Buffer[]>

/** The fields of a message that are bytes, by number; others are passed over. */
export function fieldsOfMessage(message: Buffer): MessageFields {
  const fields = new Map<number, Buffer[]>()
  const reader = new Reader(message)
  while (!reader.isAtEnd) {
    const key = reader.varint()
    const bytes = reader.value(key & 7)
    if (bytes === undefined) continue
    const number = Math.floor(key / 8)
    const known = fields.get(number)
    if (known === undefined) fields.set(number, [bytes])
    else known.push(bytes)
  }
  return fields
}

/** The last string of a field. */
export function stringIn(fields: MessageFields, number: number): string | undefined {
  return fields.get(number)?.at(-1)?.toString('utf8')
}

/** The last message of a field; one without fields if there is none. */
export function messageIn(fields: MessageFields, number: number): MessageFields {
  const bytes = fields.get(number)?.at(-1)
  return bytes === undefined ? new Map() : fieldsOfMessage(bytes)
}

/** The messages of a repeated field. */
export function messagesIn(fields: MessageFields, number: number): MessageFields[] {
  return (fields.get(number) ?? []).map((bytes) => fieldsOfMessage(bytes))
}

/** A map of strings. */
export function stringsIn(fields: MessageFields, number: number): Record<string, string> {
  const entries = messagesIn(fields, number).map((entry): [string, string] => [
    stringIn(entry, 1) ?? '',
    stringIn(entry, 2) ?? '',
  ])
  return Object.fromEntries(entries)
}

/** A message with a string, or another message, in one field. */
export function messageWith(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([varintOf(number * 8 + LENGTH_DELIMITED), varintOf(bytes.length), bytes])
}

function varintOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** A number; of one beyond 2^53 the lowest bits are lost. */
  varint(): number {
    let value = 0
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) break
      this.#at += 1
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw new ProtobufError('a number does not end')
  }

  /** The bytes of a value; undefined if it is a number. */
  value(type: number): Buffer | undefined {
    switch (type) {
      case VARINT:
        this.varint()
        return undefined
      case FIXED64:
        this.#take(8)
        return undefined
      case FIXED32:
        this.#take(4)
        return undefined
      case LENGTH_DELIMITED:
        return this.#take(this.varint())
      default:
        throw new ProtobufError(`there is no type ${type} of values`)
    }
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new ProtobufError('a value goes beyond the end')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}
