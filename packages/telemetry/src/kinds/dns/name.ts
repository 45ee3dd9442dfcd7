/** Names as they lie in messages. */

/** Names with their lengths in between, and the last one, of 0. */
const MAX_WIRE_BYTES = 255
/** As many pointers as a name could use, if each led to one label. */
const MAX_POINTERS = 127
const POINTER = 0xc0
const DOT = 0x2e
const BACKSLASH = 0x5c

/** A name, and where it ends. */
export interface WireName {
  readonly name: string
  /** Offset of what follows it. */
  readonly end: number
}

/**
 * The name at an offset of a message, as text (RFC 4343): in lower case, with `\.` for a dot within a label and `\DDD` for
 * what is no printable character of ASCII; `.` for the root. Undefined when it is cut, too long, or points forwards or in
 * circles.
 */
export function nameAt(message: Uint8Array, offset: number): WireName | undefined {
  let at = offset
  let end = -1
  let name = ''
  let wireBytes = 1
  /** What a pointer may lead to lies before: so that none leads in a circle. */
  let limit = offset
  for (let pointers = 0; ;) {
    const length = message[at]
    if (length === undefined) return undefined
    if ((length & POINTER) === POINTER) {
      const low = message[at + 1]
      if (low === undefined || ++pointers > MAX_POINTERS) return undefined
      if (end === -1) end = at + 2
      const target = ((length & 0x3f) << 8) | low
      if (target >= limit) return undefined
      limit = target
      at = target
      continue
    }
    if ((length & POINTER) !== 0) return undefined
    at += 1
    if (length === 0) break
    wireBytes += length + 1
    if (at + length > message.length || wireBytes > MAX_WIRE_BYTES) return undefined
    name += name === '' ? '' : '.'
    for (const until = at + length; at < until; at++) name += characterOf(message[at] as number)
  }
  return { name: name === '' ? '.' : name, end: end === -1 ? at : end }
}

function characterOf(byte: number): string {
  if (byte === DOT || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`
  // A to Z.
  return String.fromCharCode(byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)
}
