import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import { ByType } from './by-type.js'
import { type ChainSpaces, NO_CHAIN } from './chains.js'
import type { ShapedKind, ShapedType } from './shaped-type.js'

/** Properties of a record type that are computed once. */
export interface RecordShape<T extends ShapedType = ShapedType> {
  /** Shapes are numbered from 1 on. */
  readonly number: number
  readonly recordType: T
  readonly fixedSizeBytes: number
  /** Offset of the pid in words; 0 for records of no process. */
  readonly pid: number
  /** Offsets of the descriptors of tails, in words. */
  readonly tails: readonly number[]
  /** Space of its keys, or `NO_CHAIN`. */
  readonly space: number
  /** Offsets of the words of its key. */
  readonly key: readonly number[]
  /** Offset of the key, if that is one word; otherwise 0. */
  readonly keyWord: number
  /** It is in the chains of another kind. */
  readonly isForeign: boolean
  /** Written by quark itself, so without a sequence number. */
  readonly isOwn: boolean
}

/** Number of losses, which have no shape. */
export const NO_SHAPE = 0

/** The shapes of all record types of some kinds. */
export class RecordShapes<T extends ShapedType = ShapedType> {
  readonly #byType = new ByType<RecordShape<T>>()
  readonly #byNumber: (RecordShape<T> | undefined)[] = [undefined]

  constructor(kinds: readonly ShapedKind<T>[], spaces: ChainSpaces) {
    for (const kind of kinds) {
      for (const recordType of kind.records) this.#add(recordType, spaces)
    }
  }

  #add(recordType: T, spaces: ChainSpaces): void {
    const { type, fixedSizeBytes, at, tails } = recordType.layout
    const { space, key, isForeign } = spaces.of(type)
    const shape: RecordShape<T> = {
      number: this.#byNumber.length,
      recordType,
      fixedSizeBytes,
      pid: (at['pid'] ?? 0) >> 2,
      tails: tails.map((tail) => tail.offset >> 2),
      space,
      key,
      keyWord: space !== NO_CHAIN && key.length === 1 ? (key[0] as number) : 0,
      isForeign,
      isOwn: recordType.isOwn === true,
    }
    this.#byType.set(type, shape)
    this.#byNumber.push(shape)
  }

  /** How many numbers there are, that of no shape included. */
  get count(): number {
    return this.#byNumber.length
  }

  /** The shape of a number; undefined for `NO_SHAPE`. */
  at(number: number): RecordShape<T> | undefined {
    return this.#byNumber[number]
  }

  /** Undefined for a type that no kind has. */
  of(type: number): RecordShape<T> | undefined {
    return this.#byType.get(type)
  }

  /**
   * The shape of a record that begins at word `w`, or undefined when it is broken: of an unknown type, or
   * shorter than its layout or the lengths of its tails say.
   */
  check(words: Uint32Array, w: number, lengthBytes: number): RecordShape<T> | undefined {
    const shape = this.#byType.get((words[w] as number) & 0xffff)
    if (shape === undefined) return undefined
    const { fixedSizeBytes, tails } = shape
    // A record that is too short has descriptors of whatever lies behind it: they can only add.
    let sizeBytes = fixedSizeBytes
    for (let i = 0; i < tails.length; i++) {
      sizeBytes += (words[w + (tails[i] as number)] as number) & TAIL_LENGTH_MASK
    }
    return sizeBytes <= lengthBytes ? shape : undefined
  }
}
