import { BtfError } from '../errors.js'

/** Kernel symbols have at most 512; a limit keeps broken BTF from printing types without bounds. */
const MAX_NAME_SIZE_BYTES = 4096

/** The string section: NUL-terminated names, addressed by byte offset. Nothing is decoded before it is asked for. */
export class StringTable {
  readonly #bytes: Buffer
  readonly #origin: string

  constructor(bytes: Buffer, origin: string) {
    this.#bytes = bytes
    this.#origin = origin
  }

  /**
   * The string at a byte offset.
   *
   * @throws BtfError when the offset is behind the section, or the string too long to be a name.
   */
  at(offset: number): string {
    // The section ends with NUL, so a NUL is found from every offset inside it.
    const end = this.#bytes.indexOf(0, offset)
    if (offset >= this.#bytes.length || end === -1) {
      throw new BtfError(
        `Broken BTF in ${this.#origin}: name at ${offset} is behind the ${this.#bytes.length} bytes of strings`,
      )
    }
    if (end - offset > MAX_NAME_SIZE_BYTES) {
      throw new BtfError(`Broken BTF in ${this.#origin}: name at ${offset} has ${end - offset} bytes`)
    }
    return this.#bytes.toString('utf8', offset, end)
  }

  /** Whether the string at `offset` is the one that `text`, which ends with NUL, holds. */
  spells(offset: number, text: Uint8Array): boolean {
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[offset + i] !== text[i]) return false
    }
    return true
  }

  /** Whether the string at `offset` is empty, as the names of anonymous types and members are. */
  isEmptyAt(offset: number): boolean {
    return this.#bytes[offset] === 0
  }

  /**
   * Byte offsets of the whole strings equal to `name`: one in deduplicated BTF. Strings that merely end with `name` are
   * not found; no known producer of BTF stores a name as the tail of another.
   */
  *offsetsOf(name: string): Generator<number> {
    const text = nameBytes(name)
    if (text === undefined) return
    const delimited = Buffer.concat([Buffer.alloc(1), text])
    // The next search starts on the closing NUL, which may open the next string.
    let at = this.#bytes.indexOf(delimited)
    while (at !== -1) {
      yield at + 1
      at = this.#bytes.indexOf(delimited, at + text.length)
    }
  }
}

/** The bytes of a name with its closing NUL, or undefined when nothing can have that name. */
export function nameBytes(name: string): Buffer | undefined {
  return name === '' || name.includes('\0') ? undefined : Buffer.from(`${name}\0`)
}
