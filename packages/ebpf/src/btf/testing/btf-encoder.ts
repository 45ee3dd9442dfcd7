/** One member as the encoder takes it; `offset` is the raw third word, whatever its encoding. */
export interface EncodedMember {
  name: string
  type: number
  offset: number
}

/**
 * Writes BTF for tests, byte by byte and sharing nothing with the reader: kinds are literal numbers here, so that a
 * wrong constant in the reader shows. Each method adds one type and returns its id.
 */
export class BtfEncoder {
  readonly #types: number[] = []
  readonly #strings: number[] = [0]
  readonly #offsets = new Map([['', 0]])
  #lastId = 0

  int(name: string, bits: number, encoding: number, sizeBytes = bits / 8, shift = 0): number {
    return this.type(name, 1, sizeBytes, [((encoding << 24) | (shift << 16) | bits) >>> 0])
  }

  pointer(type: number): number {
    return this.type('', 2, type)
  }

  array(type: number, count: number): number {
    return this.type('', 3, 0, [type, 1, count])
  }

  struct(name: string, sizeBytes: number, members: readonly EncodedMember[], kindFlag = false): number {
    return this.type(name, 4, sizeBytes, this.#members(members), members.length, kindFlag)
  }

  union(name: string, sizeBytes: number, members: readonly EncodedMember[], kindFlag = false): number {
    return this.type(name, 5, sizeBytes, this.#members(members), members.length, kindFlag)
  }

  enum(name: string, values: readonly (readonly [string, number])[], signed = false): number {
    const words = values.flatMap(([value, number]) => [this.string(value), number >>> 0])
    return this.type(name, 6, 4, words, values.length, signed)
  }

  forward(name: string, isUnion = false): number {
    return this.type(name, 7, 0, [], 0, isUnion)
  }

  typedef(name: string, type: number): number {
    return this.type(name, 8, type)
  }

  volatile(type: number): number {
    return this.type('', 9, type)
  }

  const(type: number): number {
    return this.type('', 10, type)
  }

  restrict(type: number): number {
    return this.type('', 11, type)
  }

  /** Its vlen is the linkage, 1 for global, and nothing follows. */
  func(name: string, proto: number): number {
    return this.type(name, 12, proto, [], 1)
  }

  funcProto(returnType: number, parameters: readonly (readonly [string, number])[]): number {
    const words = parameters.flatMap(([name, type]) => [this.string(name), type])
    return this.type('', 13, returnType, words, parameters.length)
  }

  variable(name: string, type: number): number {
    return this.type(name, 14, type, [1])
  }

  datasec(name: string, sizeBytes: number, variables: readonly number[]): number {
    return this.type(
      name,
      15,
      sizeBytes,
      variables.flatMap((variable, index) => [variable, index * 8, 8]),
      variables.length,
    )
  }

  float(name: string, sizeBytes: number): number {
    return this.type(name, 16, sizeBytes)
  }

  declTag(name: string, type: number, component: number): number {
    return this.type(name, 17, type, [component >>> 0])
  }

  typeTag(name: string, type: number): number {
    return this.type(name, 18, type)
  }

  enum64(name: string, values: readonly (readonly [string, bigint])[], signed = false): number {
    const words = values.flatMap(([value, number]) => [
      this.string(value),
      Number(BigInt.asUintN(32, number)),
      Number(BigInt.asUintN(32, number >> 32n)),
    ])
    return this.type(name, 19, 8, words, values.length, signed)
  }

  /** Any type, also one of a kind that does not exist. */
  type(
    name: string,
    kind: number,
    sizeOrType: number,
    rest: number[] = [],
    vlen = 0,
    kindFlag = false,
  ): number {
    const info = ((kindFlag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0
    this.#types.push(this.string(name), info, sizeOrType, ...rest)
    return ++this.#lastId
  }

  /** Offset of a string, which is added when it is new. */
  string(text: string): number {
    const known = this.#offsets.get(text)
    if (known !== undefined) return known
    const offset = this.#strings.length
    this.#strings.push(...Buffer.from(text), 0)
    this.#offsets.set(text, offset)
    return offset
  }

  bytes(): Buffer {
    const typesSize = this.#types.length * 4
    const bytes = Buffer.alloc(24 + typesSize + this.#strings.length)
    bytes.writeUInt16LE(0xeb9f, 0)
    bytes.writeUInt8(1, 2)
    const header = [24, 0, typesSize, typesSize, this.#strings.length]
    header.forEach((word, index) => bytes.writeUInt32LE(word, 4 + index * 4))
    this.#types.forEach((word, index) => bytes.writeUInt32LE(word, 24 + index * 4))
    bytes.set(this.#strings, 24 + typesSize)
    return bytes
  }

  #members(members: readonly EncodedMember[]): number[] {
    return members.flatMap(({ name, type, offset }) => [this.string(name), type, offset])
  }
}

/** A 64-bit little-endian ELF file with three sections: the empty one, names, and one that holds `contents`. */
export function encodeElf(sectionName: string, contents: Uint8Array, type = 1): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${sectionName}\0`)
  const start = 64 + names.length
  const bytes = Buffer.alloc(start + contents.length + 3 * 64)
  const table = start + contents.length
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(bytes)
  bytes.writeBigUInt64LE(BigInt(table), 0x28)
  bytes.writeUInt16LE(64, 0x3a)
  bytes.writeUInt16LE(3, 0x3c)
  bytes.writeUInt16LE(1, 0x3e)
  names.copy(bytes, 64)
  bytes.set(contents, start)
  const header = (index: number, name: number, kind: number, at: number, sizeBytes: number): void => {
    bytes.writeUInt32LE(name, table + index * 64)
    bytes.writeUInt32LE(kind, table + index * 64 + 4)
    bytes.writeBigUInt64LE(BigInt(at), table + index * 64 + 24)
    bytes.writeBigUInt64LE(BigInt(sizeBytes), table + index * 64 + 32)
  }
  header(1, 1, 3, 64, names.length)
  header(2, 11, type, start, contents.length)
  return bytes
}
