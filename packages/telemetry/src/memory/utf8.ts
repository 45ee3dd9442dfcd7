/** UTF-8 in plain JavaScript, for rooms that know no platform. */

const REPLACEMENT = 0xfffd
/** Code points that become text at once. */
const CHUNK = 4096

/**
 * Bytes as text; each byte that belongs to no character becomes U+FFFD.
 *
 * @param otherBytes what such a byte is added to instead
 */
export function utf8Of(bytes: Uint8Array, otherBytes?: number): string {
  let text = ''
  let points: number[] = []
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at)
    if (length > 0) points.push(pointAt(bytes, at, length))
    else points.push(otherBytes === undefined ? REPLACEMENT : otherBytes + (bytes[at] as number))
    at += Math.max(length, 1)
    if (points.length === CHUNK) {
      text += String.fromCodePoint(...points)
      points = []
    }
  }
  return text + String.fromCodePoint(...points)
}

/** Bytes of the character that begins at `at`, or 0 when none does. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0
  for (let i = 1; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0
  const second = bytes[at + 1] as number
  // Longer than it need be, half of a surrogate pair, or beyond the last character.
  const isWrong =
    (first === 0xe0 && second < 0xa0) ||
    (first === 0xed && second > 0x9f) ||
    (first === 0xf0 && second < 0x90) ||
    (first === 0xf4 && second > 0x8f)
  return isWrong ? 0 : length
}

function pointAt(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] as number
  if (length === 1) return first
  let point = first & (0x7f >> length)
  for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] as number) & 0x3f)
  return point
}
