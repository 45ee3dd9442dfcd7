import { MAX_KEY_WORDS } from '../memory/wide-index.js'
import { ByType } from './by-type.js'
import type { ShapedKind, ShapedType } from './shaped-type.js'

/** Space of records that are in no chain. */
export const NO_CHAIN = -1

/** By which key, and in which space, records of a type are chained. */
export interface Chaining {
  readonly space: number
  /** Offsets of the words of the key. */
  readonly key: readonly number[]
  /** It is in the chains of another kind. */
  readonly isForeign: boolean
}

const UNCHAINED: Chaining = { space: NO_CHAIN, key: [], isForeign: false }

/**
 * The spaces of keys: each kind has one for the records that it chains by pid, and one for each other key. A record type
 * that is to join those of another kind is in a space of that one.
 */
export class ChainSpaces {
  /** How many words the keys of each space have. */
  readonly keyWords: number[] = []
  readonly #numbers = new Map<string, number>()
  readonly #chainings = new ByType<Chaining>()

  /**
   * @param crosses whether a row joins a record type with one of another kind
   * @throws {RangeError} for a key that a record does not have, or that is too long, or shares a space with another one
   */
  constructor(kinds: readonly ShapedKind[], crosses: (type: number) => boolean) {
    for (const kind of kinds) {
      for (const recordType of kind.records) {
        this.#chainings.set(recordType.layout.type, this.#chainingOf(kind, recordType, crosses))
      }
    }
  }

  of(type: number): Chaining {
    return this.#chainings.get(type) ?? UNCHAINED
  }

  #chainingOf(kind: ShapedKind, recordType: ShapedType, crosses: (type: number) => boolean): Chaining {
    const { chain, layout } = recordType
    const fields = keyFieldsOf(recordType)
    if (fields.length === 0) return UNCHAINED
    // Without a row it would only be passed over by the others.
    const isForeign = chain !== undefined && crosses(layout.type)
    const own = chain === undefined && recordType.key !== undefined ? `.${fields.join('+')}` : ''
    const key = wordsOf(recordType, fields)
    return {
      space: this.#spaceOf(
        isForeign ? this.#foreign(chain, fields) : kind.name + own,
        recordType,
        key.length,
      ),
      key,
      isForeign,
    }
  }

  /** The space in which another kind has records of that key; its records by pid if there is none. */
  #foreign(chain: string, fields: readonly string[]): string {
    const shared = `${chain}.${fields.join('+')}`
    return this.#numbers.has(shared) ? shared : chain
  }

  #spaceOf(name: string, { name: record }: ShapedType, words: number): number {
    const known = this.#numbers.get(name)
    const space = known ?? this.keyWords.length
    if (known === undefined) {
      this.#numbers.set(name, space)
      this.keyWords.push(words)
    }
    if (this.keyWords[space] === words) return space
    throw new RangeError(
      `Cannot chain "${record}" with "${name}": its key has ${words} words, not ${this.keyWords[space]}`,
    )
  }
}

/** Names of the fields of the key: the pid, if it has one, when none is named. */
function keyFieldsOf({ key, layout }: ShapedType): readonly string[] {
  if (key !== undefined) return typeof key === 'string' ? [key] : key
  return layout.at['pid'] === undefined ? [] : ['pid']
}

function wordsOf({ name, layout }: ShapedType, fields: readonly string[]): number[] {
  const words = fields.flatMap((field) => {
    const fixed = layout.fixed.find((fixed) => fixed.name === field)
    if (fixed === undefined || fixed.type.sizeBytes % 4 !== 0) {
      throw new RangeError(`Cannot chain "${name}" by "${field}": it is no field of 4, 8 or 16 bytes`)
    }
    return Array.from({ length: fixed.type.sizeBytes / 4 }, (_, i) => (fixed.offset >> 2) + i)
  })
  if (words.length <= MAX_KEY_WORDS) return words
  throw new RangeError(
    `Cannot chain "${name}" by ${words.length * 4} bytes: the limit is ${MAX_KEY_WORDS * 4}`,
  )
}
