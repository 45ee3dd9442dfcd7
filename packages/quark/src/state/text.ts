/**
 * Text that came with a record, decoded when it is asked for. `tails` is the latin1 text of all tails of the
 * record, one character a byte; a tail is a cut of it and a descriptor with its length and flags.
 */

import { TAIL_DELETED, TAIL_LENGTH_MASK, TAIL_PSEUDO, TAIL_TRUNCATED } from '@quark/ebpf/probe'

// oxlint-disable-next-line no-control-regex -- ASCII is just what needs no decoding
const ASCII = /^[\0-\x7f]*$/

/** Not in the types of node; skips what `toString` does before it comes to the same. */
interface Latin1Source {
  latin1Slice(start: number, end: number): string
}

/** The bytes from `start` to `end` as text with one character a byte. */
export function latin1Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as Buffer & Latin1Source).latin1Slice(start, end)
}

/** UTF-8 from text with one character a byte; what is invalid becomes U+FFFD. */
export function decodeUtf8(latin1: string): string {
  return ASCII.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8')
}

function cutOf(tails: string, start: number, descriptor: number): string {
  return tails.slice(start, start + (descriptor & TAIL_LENGTH_MASK))
}

/** Components from the leaf upwards, each NUL-terminated, as a path. */
function pathOfComponents(components: string): string {
  if (components === '') return '/'
  return `/${decodeUtf8(components.slice(0, -1).split('\0').toReversed().join('/'))}`
}

/**
 * A file's path as the kernel side walked it: from the leaf to the root of the mount namespace, with an empty
 * component where the process's root directory lies. Immutable.
 */
export class PathText {
  readonly #tails: string
  readonly #start: number
  readonly #descriptor: number
  #path: string | undefined

  constructor(tails: string, start: number, descriptor: number) {
    this.#tails = tails
    this.#start = start
    this.#descriptor = descriptor
  }

  /** From the process's root; from that of the namespace when the file lies outside; bare without a place. */
  get path(): string {
    this.#path ??= this.#decode()
    return this.#path
  }

  /** Path of the process's root directory in its mount namespace, if the walk passed it and went on to the end. */
  get root(): string | undefined {
    if ((this.#descriptor & (TAIL_PSEUDO | TAIL_TRUNCATED)) !== 0) return undefined
    const components = cutOf(this.#tails, this.#start, this.#descriptor)
    const mark = markOf(components)
    return mark === -1 ? undefined : pathOfComponents(components.slice(mark + 1))
  }

  get isDeleted(): boolean {
    return (this.#descriptor & TAIL_DELETED) !== 0
  }

  get isTruncated(): boolean {
    return (this.#descriptor & TAIL_TRUNCATED) !== 0
  }

  #decode(): string {
    const components = cutOf(this.#tails, this.#start, this.#descriptor)
    if ((this.#descriptor & TAIL_PSEUDO) !== 0) {
      const end = components.indexOf('\0')
      return decodeUtf8(end === -1 ? components : components.slice(0, end))
    }
    const mark = markOf(components)
    return pathOfComponents(mark === -1 ? components : components.slice(0, mark))
  }
}

/** Where the empty component is, or -1. */
function markOf(components: string): number {
  if (components.startsWith('\0')) return 0
  const end = components.indexOf('\0\0')
  return end === -1 ? -1 : end + 1
}

/** NUL-terminated strings, as argv and the environment are in memory; maybe cut. Immutable. */
export class StringsText {
  /** Of the strings in the process's memory, whatever was cut. */
  readonly realSizeBytes: number
  readonly #tails: string
  readonly #start: number
  readonly #descriptor: number
  #strings: readonly string[] | undefined

  constructor(tails: string, start: number, descriptor: number, realSizeBytes: number) {
    this.#tails = tails
    this.#start = start
    this.#descriptor = descriptor
    this.realSizeBytes = realSizeBytes
  }

  get isTruncated(): boolean {
    return (this.#descriptor & TAIL_TRUNCATED) !== 0
  }

  get strings(): readonly string[] {
    this.#strings ??= Object.freeze(this.#split())
    return this.#strings
  }

  /** A copy of the bytes. */
  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.from(cutOf(this.#tails, this.#start, this.#descriptor), 'latin1'))
  }

  #split(): string[] {
    const text = cutOf(this.#tails, this.#start, this.#descriptor)
    if (text === '') return []
    const strings = (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0')
    return ASCII.test(text) ? strings : strings.map((string) => decodeUtf8(string))
  }
}
