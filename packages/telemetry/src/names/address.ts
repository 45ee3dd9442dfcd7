/** Addresses as text, from the words in which the kernel has them. */

const MAPPED = '::ffff:'

/** Machines talk to a few others: the texts of those that came last, so that there is one string of each. */
const MAX_TEXTS = 4096
const texts = new Map<number, string>()

/** `192.0.2.1`, of a word in network order. */
export function ipv4Text(word: number): string {
  const known = texts.get(word)
  if (known !== undefined) return known
  if (texts.size >= MAX_TEXTS) texts.clear()
  const text = `${word & 0xff}.${(word >>> 8) & 0xff}.${(word >>> 16) & 0xff}.${word >>> 24}`
  texts.set(word, text)
  return text
}

/** As RFC 5952 has it; of four words in network order that begin at `at`. */
export function ipv6Text(words: Uint32Array, at: number): string {
  const first = words[at] as number
  const second = words[at + 1] as number
  const third = words[at + 2] as number
  const fourth = words[at + 3] as number
  // In network order it is 0:ffff.
  if (first === 0 && second === 0 && third === 0xffff_0000) return MAPPED + ipv4Text(fourth)
  const parts = [first, second, third, fourth].flatMap((word) => [swap16(word & 0xffff), swap16(word >>> 16)])
  const { start, length } = longestZeros(parts)
  const hex = (from: number, to: number): string =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(':')
  // A single part is not left out.
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`
}

/** The first of the longest runs of parts that are 0. */
function longestZeros(parts: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let i = 0; i <= parts.length; i++) {
    if (parts[i] === 0) continue
    if (i - start > best.length) best = { start, length: i - start }
    start = i + 1
  }
  return best
}

/** A number of two bytes in the order of the other end. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}

/** The IPv4 address that an IPv6 socket uses; other addresses as they are. */
export function plainIp(ip: string): string {
  return isMapped(ip) ? ip.slice(MAPPED.length) : ip
}

/** Whether packets to the address are IPv4. */
export function isIpv4(ip: string): boolean {
  return !ip.includes(':') || isMapped(ip)
}

function isMapped(ip: string): boolean {
  return ip.startsWith(MAPPED) && ip.includes('.')
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`; what is not known is left out. */
export function endpointText(ip: string | undefined, port: number | undefined): string | undefined {
  if (ip === undefined) return port === undefined ? undefined : `:${port}`
  const host = ip.includes(':') ? `[${ip}]` : ip
  return port === undefined ? host : `${host}:${port}`
}
