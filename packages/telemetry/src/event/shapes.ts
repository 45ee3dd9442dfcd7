import { TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { Kind, RecordType } from '../kinds/kind.js'

/** Record types fit the 32 bits of a mask. */
const MAX_RECORD_TYPE = 31

/** What there is to know of a record type before its records are held. */
export interface RecordShape {
  readonly recordType: RecordType
  readonly fixedSizeBytes: number
  /** Offset of the pid in words; 0 for records of no process. */
  readonly pid: number
  /** Offsets of the descriptors of tails, in words. */
  readonly tails: readonly number[]
}

/** The shapes of all record types of some kinds. */
export class RecordShapes {
  readonly #shapes: (RecordShape | undefined)[] = new Array(MAX_RECORD_TYPE + 1).fill(undefined)

  constructor(kinds: readonly Kind[]) {
    for (const recordType of kinds.flatMap((kind) => kind.records)) {
      const { type, fixedSizeBytes, at, tails } = recordType.layout
      this.#shapes[type] = {
        recordType,
        fixedSizeBytes,
        pid: (at['pid'] ?? 0) >> 2,
        tails: tails.map((tail) => tail.offset >> 2),
      }
    }
  }

  /** Undefined for a type that no kind has. */
  of(type: number): RecordShape | undefined {
    return this.#shapes[type]
  }

  /**
   * The shape of a record that begins at word `w`, or undefined when it is broken: of an unknown type, or
   * shorter than its layout or the lengths of its tails say.
   */
  check(words: Uint32Array, w: number, lengthBytes: number): RecordShape | undefined {
    const shape = this.#shapes[(words[w] as number) & 0xffff]
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
