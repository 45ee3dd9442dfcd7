/** What records of the DNS say, as text. */

import { library } from './library.js'
import { nameAt } from './name.js'

/** Longer texts are cut. */
const MAX_DATA_LENGTH = 1024
/** Bytes of an unknown type that are shown. */
const MAX_UNKNOWN_BYTES = 64

/** Types by their numbers: https://www.iana.org/assignments/dns-parameters */
const A = 1
const NS = 2
const CNAME = 5
const SOA = 6
const PTR = 12
const MX = 15
const TXT = 16
const AAAA = 28
const SRV = 33
const DNAME = 39
const CAA = 257

/** Where a record begins, and where what it says does. */
interface RecordPlaces {
  readonly start: number
  readonly data: number
}

/**
 * What a record says, as master files have it: an address, a name without its last dot, numbers before names, text in
 * quotes; other types as `\# LENGTH HEX` (RFC 3597). Undefined when it is broken.
 *
 * @param message up to the end of the record
 */
export function dataText(message: Buffer, type: number, { start, data }: RecordPlaces): string | undefined {
  const text = textOf(message, type, { start, data })
  return text === undefined || text.length <= MAX_DATA_LENGTH
    ? text
    : `${text.slice(0, MAX_DATA_LENGTH - 1)}…`
}

function textOf(message: Buffer, type: number, { start, data }: RecordPlaces): string | undefined {
  switch (type) {
    case A:
    case AAAA:
      if (message.length - data !== (type === A ? 4 : 16)) return undefined
      return decoded(message, start) as string | undefined
    case NS:
    case CNAME:
    case PTR:
    case DNAME:
      return nameAt(message, data)?.name
    case MX:
      return numbersAndName(message, data, 1)
    case SRV:
      return numbersAndName(message, data, 3)
    case SOA:
      return authority(message, data)
    case TXT:
      return strings(message, data)
    case CAA: {
      const caa = decoded(message, start) as { flags: number; tag: string; value: string } | undefined
      return caa && `${caa.flags} ${printable(Buffer.from(caa.tag))} ${quoted(Buffer.from(caa.value))}`
    }
    default: {
      const bytes = message.subarray(data)
      const hex = bytes.toString('hex', 0, MAX_UNKNOWN_BYTES)
      return `\\# ${bytes.length} ${hex}${bytes.length > MAX_UNKNOWN_BYTES ? '…' : ''}`.trimEnd()
    }
  }
}

/** What the library makes of a record. */
function decoded(message: Buffer, start: number): unknown {
  try {
    return library().answer.decode(message, start).data
  } catch {
    return undefined
  }
}

/** Some numbers of two bytes, then a name. */
function numbersAndName(message: Buffer, at: number, count: number): string | undefined {
  if (at + count * 2 > message.length) return undefined
  const numbers = Array.from({ length: count }, (_, index) => message.readUInt16BE(at + index * 2))
  const target = nameAt(message, at + count * 2)
  return target && [...numbers, target.name].join(' ')
}

/** Two names, then five numbers of four bytes. */
function authority(message: Buffer, at: number): string | undefined {
  const server = nameAt(message, at)
  const mailbox = server && nameAt(message, server.end)
  if (mailbox === undefined || mailbox.end + 20 > message.length) return undefined
  const numbers = Array.from({ length: 5 }, (_, index) => message.readUInt32BE(mailbox.end + index * 4))
  return [server?.name, mailbox.name, ...numbers].join(' ')
}

/** Strings of at most 255 bytes, each behind its length. */
function strings(message: Buffer, from: number): string | undefined {
  const texts: string[] = []
  for (let at = from; at < message.length;) {
    const end = at + 1 + (message[at] as number)
    if (end > message.length) return undefined
    // More would be cut off.
    if (texts.length < MAX_DATA_LENGTH / 2) texts.push(quoted(message.subarray(at + 1, end)))
    at = end
  }
  return texts.join(' ')
}

function quoted(bytes: Buffer): string {
  return `"${printable(bytes)}"`
}

/** Bytes with `\DDD` for those that are no printable characters of ASCII. */
function printable(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/["\\]/g, '\\$&')
    .replaceAll(/[^\x20-\x7e]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`)
}
