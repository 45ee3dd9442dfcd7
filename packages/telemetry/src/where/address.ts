/** Addresses and networks as filters compare them. */

/** An address: IPv4, also as IPv6 has it (`::ffff:192.0.2.1`), has one word, IPv6 has four; each the higher the earlier. */
export type Address = readonly number[]

/** The addresses that begin with the same bits. */
export interface Network {
  readonly address: Address
  readonly prefix: number
}

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const MAPPED_PREFIX = 96

/** The address that a text is; undefined for other texts. */
export function addressOf(text: string): Address | undefined {
  if (!text.includes(':')) {
    const word = v4WordOf(text)
    return word === undefined ? undefined : [word]
  }
  const words = v6WordsOf(text)
  return words !== undefined && isMapped(words) ? words.slice(3) : words
}

/** The network that a text is: an address, or one with the number of bits that count. Undefined for other texts. */
export function networkOf(text: string): Network | undefined {
  const [, ip = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = addressOf(ip)
  if (address === undefined) return undefined
  const most = address.length * 32
  if (bits === undefined) return { address, prefix: most }
  const given = Number(bits)
  // The bits of an IPv4 address that is written as IPv6 are counted as those of that.
  const prefix = address.length === 1 && ip.includes(':') ? given - MAPPED_PREFIX : given
  return prefix >= 0 && prefix <= most ? { address, prefix } : undefined
}

/** Whether an address is in a network. Those of the other version are not. */
export function isIn(address: Address, { address: base, prefix }: Network): boolean {
  if (address.length !== base.length) return false
  let left = prefix
  for (let i = 0; i < base.length && left > 0; i++) {
    const differ = ((address[i] as number) ^ (base[i] as number)) >>> 0
    if (left >= 32 ? differ !== 0 : differ >>> (32 - left) !== 0) return false
    left -= 32
  }
  return true
}

function v4WordOf(text: string): number | undefined {
  const match = V4.exec(text)
  if (match === null) return undefined
  let word = 0
  for (let i = 1; i <= 4; i++) {
    const part = Number(match[i])
    if (part > 255) return undefined
    word = word * 256 + part
  }
  return word
}

/** RFC 4291 §2.2: eight parts, of which a run of zeros may be left out, and the last two may be IPv4. */
function v6WordsOf(text: string): number[] | undefined {
  if (text.length > 45) return undefined
  const sides = text.split('::')
  if (sides.length > 2) return undefined
  const [head, tail] = sides.map((side) => (side === '' ? [] : side.split(':').flatMap(partsOf)))
  if (head === undefined || [...head, ...(tail ?? [])].some((part) => part < 0)) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const parts = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])]
  return [0, 2, 4, 6].map((i) => (parts[i] as number) * 65_536 + (parts[i + 1] as number))
}

/** The numbers that a part stands for; -1 if it is none. */
function partsOf(part: string, index: number, all: readonly string[]): number[] {
  if (/^[\da-f]{1,4}$/i.test(part)) return [parseInt(part, 16)]
  const word = index === all.length - 1 ? v4WordOf(part) : undefined
  return word === undefined ? [-1] : [Math.floor(word / 65_536), word % 65_536]
}

function isMapped([first, second, third]: readonly number[]): boolean {
  return first === 0 && second === 0 && third === 0xffff
}
