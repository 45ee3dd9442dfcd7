/** Puts what rules say about the ends of connections into the maps of the kernel. */

/** What is asked: whether a port is in one of the ranges, or an address in one of the networks. */
export interface EndQuestion {
  readonly ports: readonly { readonly from: number; readonly to: number }[]
  /** IPv4 has one word, IPv6 four; each the higher the earlier. */
  readonly networks: readonly { readonly address: readonly number[]; readonly prefix: number }[]
}

/** The words of a key: which sort of thing it is of, and its bytes in network order. */
export interface EndKey {
  /** How many bits count, those of `kind` included. */
  readonly prefix: number
  readonly kind: number
  readonly word0: number
  readonly word1: number
  readonly word2: number
  readonly word3: number
}

/** The maps of a session, or what stands for them. */
export interface EndKernelMaps {
  readonly answers: { set(key: EndKey, value: number): void; delete(key: EndKey): boolean }
  readonly meanings: { set(key: MeaningKey, value: number): void; delete(key: MeaningKey): boolean }
}

/** All answers together, and a kind of event. */
export interface MeaningKey {
  readonly answers: number
  readonly kind: number
}

/** The kind of keys of ports; keys of addresses have the number of their family. */
export const PORTS = 1
const AF_INET = 2
const AF_INET6 = 10
/** Bits of a key before what it is of. */
export const FIRST_BITS = 32
/** An answer has the bits of the questions that are answered with yes, and behind them which rules it is of. */
export const GENERATION_SHIFT = 8
const GENERATIONS = 2 ** 24

const PORT_BITS = 16
const MAPPED_BITS = 96

/** Part of all ports, or of all addresses of a family. */
interface Block {
  readonly kind: number
  /** Each the higher the earlier. */
  readonly words: readonly number[]
  /** How many bits of the words count. */
  readonly bits: number
}

/**
 * What programs know of the ends of connections. Rules are replaced without a moment at which programs mix old and new ones: what
 * the answers mean is looked up by answers and generation together.
 */
export class EndAnswers {
  readonly #maps: EndKernelMaps
  readonly #most: number
  #keys: readonly EndKey[] = []
  #meanings: readonly MeaningKey[] = []
  #generation = 0

  /** @param most prefixes that there is room for */
  constructor(maps: EndKernelMaps, most: number) {
    this.#maps = maps
    this.#most = most
  }

  /**
   * Programs leave nothing out for the ends of connections.
   *
   * @throws {EbpfError} when the maps cannot be changed any more
   */
  clear(): void {
    for (const key of this.#meanings) this.#maps.meanings.delete(key)
    this.#meanings = []
    for (const key of this.#keys) this.#maps.answers.delete(key)
    this.#keys = []
  }

  /**
   * Has programs leave out other records than before.
   *
   * @param reasons numbers of reasons, by the kind of event and then by all answers together; 0 for none
   * @returns false if there is no room for so many prefixes: then nothing is left out
   * @throws as `clear`
   */
  use(questions: readonly EndQuestion[], reasons: readonly (readonly number[])[]): boolean {
    this.clear()
    const entries = entriesOf(questions)
    if (entries.length > this.#most) return false
    this.#generation = (this.#generation + 1) % GENERATIONS
    const above = this.#generation * 2 ** GENERATION_SHIFT
    this.#keys = entries.map(({ key }) => key)
    for (const { key, bits } of entries) this.#maps.answers.set(key, above + bits)
    const meant = reasons.flatMap((ofKind, kind) =>
      ofKind.flatMap((reason, bits) =>
        reason === 0 ? [] : { key: { answers: above + bits, kind }, reason },
      ),
    )
    this.#meanings = meant.map(({ key }) => key)
    for (const { key, reason } of meant) this.#maps.meanings.set(key, reason)
    return true
  }
}

/** What the trie has: of each block the answers for all that is in it. */
export function entriesOf(questions: readonly EndQuestion[]): { key: EndKey; bits: number }[] {
  const blocks = new Map<string, Block>()
  const add = (block: Block): void =>
    void blocks.set(`${block.kind} ${block.words.join()} ${block.bits}`, block)
  for (const block of ROOTS) add(block)
  const asked = questions.map(({ ports, networks }) => [
    ...ports.flatMap(({ from, to }) => portBlocks(from, to)),
    ...networks.flatMap(addressBlocks),
  ])
  for (const block of asked.flat()) add(block)
  return [...blocks.values()].map((block) => {
    let bits = 0
    for (const [bit, own] of asked.entries()) if (own.some((one) => holds(one, block))) bits |= 1 << bit
    return { key: keyOf(block), bits }
  })
}

/** All ports and addresses, so that every look-up finds something. IPv4 addresses of IPv6 sockets are in no IPv6 network. */
const ROOTS: readonly Block[] = [
  { kind: PORTS, words: [0], bits: 0 },
  { kind: AF_INET, words: [0], bits: 0 },
  { kind: AF_INET6, words: [0, 0, 0, 0], bits: 0 },
  mapped([0], 0),
]

function mapped(words: readonly number[], bits: number): Block {
  return { kind: AF_INET6, words: [0, 0, 0xffff, words[0] as number], bits: MAPPED_BITS + bits }
}

function addressBlocks({ address, prefix }: EndQuestion['networks'][number]): Block[] {
  const words = address.map((word, i) => masked(word, prefix - 32 * i))
  return address.length === 1
    ? [{ kind: AF_INET, words, bits: prefix }, mapped(words, prefix)]
    : [{ kind: AF_INET6, words, bits: prefix }]
}

/** The largest blocks that make up a range of ports. */
function portBlocks(from: number, to: number): Block[] {
  const found: Block[] = []
  for (let at = from; at <= to;) {
    let bits = PORT_BITS
    while (bits > 0 && at % 2 ** (PORT_BITS - bits + 1) === 0 && at + 2 ** (PORT_BITS - bits + 1) - 1 <= to)
      bits -= 1
    found.push({ kind: PORTS, words: [at * 2 ** PORT_BITS], bits })
    at += 2 ** (PORT_BITS - bits)
  }
  return found
}

/** Whether all of a block is in another one. */
function holds(outer: Block, inner: Block): boolean {
  if (outer.kind !== inner.kind || outer.bits > inner.bits) return false
  // What IPv6 sockets call IPv4 addresses is not in networks of IPv6.
  if (outer.bits < MAPPED_BITS && isMapped(inner)) return false
  return outer.words.every((word, i) => masked(inner.words[i] as number, outer.bits - 32 * i) === word)
}

function isMapped({ kind, words, bits }: Block): boolean {
  return kind === AF_INET6 && bits >= MAPPED_BITS && words[0] === 0 && words[1] === 0 && words[2] === 0xffff
}

/** The first bits of a word. */
function masked(word: number, bits: number): number {
  if (bits <= 0) return 0
  return bits >= 32 ? word : ((word >>> (32 - bits)) << (32 - bits)) >>> 0
}

function keyOf({ kind, words, bits }: Block): EndKey {
  const [word0 = 0, word1 = 0, word2 = 0, word3 = 0] = words.map(swap32)
  return { prefix: FIRST_BITS + bits, kind, word0, word1, word2, word3 }
}

/** A number of four bytes in the order of the other end. */
function swap32(word: number): number {
  const high = ((word & 0xff) << 24) | ((word & 0xff00) << 8)
  return (high | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}
