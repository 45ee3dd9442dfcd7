import { BtfError } from '../errors.js'
import { elfSection, isElf } from './elf.js'
import {
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  type TypeId,
} from './types.js'

const BTF_MAGIC = 0xeb9f
const BTF_VERSION = 1
const HEADER_SIZE_BYTES = 24
const LAST_KIND = BTF_KIND_ENUM64

/** Words that every type starts with: name_off, info, size or type. */
export const TYPE_WORDS = 3

// info:  31         | 30 29 | 28 .. 24 | 23 .. 16 | 15 .. 0
//        kind_flag  |   0   |   kind   |    0     |  vlen
const INFO_UNUSED = 0x60ff0000

/** Words that follow a type of this kind once, and words that follow for each unit of its vlen. */
const FIXED_WORDS = new Uint8Array(LAST_KIND + 1)
const ELEMENT_WORDS = new Uint8Array(LAST_KIND + 1)
FIXED_WORDS[BTF_KIND_INT] = 1
FIXED_WORDS[BTF_KIND_ARRAY] = 3
FIXED_WORDS[BTF_KIND_VAR] = 1
FIXED_WORDS[BTF_KIND_DECL_TAG] = 1
ELEMENT_WORDS[BTF_KIND_STRUCT] = 3
ELEMENT_WORDS[BTF_KIND_UNION] = 3
ELEMENT_WORDS[BTF_KIND_ENUM] = 2
ELEMENT_WORDS[BTF_KIND_FUNC_PROTO] = 2
ELEMENT_WORDS[BTF_KIND_DATASEC] = 3
ELEMENT_WORDS[BTF_KIND_ENUM64] = 3

/** The two sections of BTF. Both are views on the bytes given, unless the types are not 4-byte aligned. */
export interface BtfSections {
  words: Uint32Array
  strings: Buffer
}

/** Where each type is, by type id; entry 0 stands for `void` and is 0. */
export interface TypeIndex {
  /** Index of the type's first word. */
  wordAt: Uint32Array
  /** Offset of its name in the string section. Kept apart so that a name is found by one native scan. */
  nameOffset: Uint32Array
  /** First type whose kind has a size unknown to us; it and all behind it are not indexed. */
  truncatedAtType: TypeId | undefined
}

/**
 * Finds the type and string sections of raw BTF, or of an ELF file's `.BTF` section.
 *
 * @throws BtfError when the header is broken or for another byte order or version.
 */
export function locateSections(bytes: Uint8Array, origin: string): BtfSections {
  const btf = isElf(bytes) ? elfSection(bytes, '.BTF', origin) : bytes
  if (btf.length < HEADER_SIZE_BYTES) {
    throw new BtfError(`Broken BTF in ${origin}: ${btf.length} bytes cannot hold a header`)
  }
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength)
  if (view.getUint16(0, false) === BTF_MAGIC) {
    throw new BtfError(`Cannot read BTF in ${origin}: it is big-endian, only little-endian BTF is supported`)
  }
  if (view.getUint16(0, true) !== BTF_MAGIC) {
    throw new BtfError(`No BTF in ${origin}: it starts with neither the BTF nor the ELF magic number`)
  }
  if (view.getUint8(2) !== BTF_VERSION) {
    throw new BtfError(`Cannot read BTF in ${origin}: it has version ${view.getUint8(2)}, not ${BTF_VERSION}`)
  }
  const headerSize = view.getUint32(4, true)
  if (headerSize < HEADER_SIZE_BYTES || headerSize > btf.length) {
    throw new BtfError(`Broken BTF in ${origin}: header of ${headerSize} bytes`)
  }
  const section = (what: string, at: number): Uint8Array => {
    const start = headerSize + view.getUint32(at, true)
    const size = view.getUint32(at + 4, true)
    if (start + size > btf.length) {
      throw new BtfError(
        `Broken BTF in ${origin}: ${what} section of ${size} bytes at ${start} does not fit into ${btf.length} bytes`,
      )
    }
    return btf.subarray(start, start + size)
  }
  return {
    words: wordsOf(section('type', 8), origin),
    strings: stringsOf(section('string', 16), origin),
  }
}

function wordsOf(types: Uint8Array, origin: string): Uint32Array {
  if (types.length % 4 !== 0) {
    throw new BtfError(`Broken BTF in ${origin}: type section of ${types.length} bytes is not whole words`)
  }
  // A typed array must start on a word of its buffer; a copy does.
  const aligned = types.byteOffset % 4 === 0 ? types : new Uint8Array(types)
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}

function stringsOf(strings: Uint8Array, origin: string): Buffer {
  if (strings.length === 0 || strings[0] !== 0 || strings.at(-1) !== 0) {
    throw new BtfError(
      `Broken BTF in ${origin}: its string section does not start and end with NUL ` +
        '(BTF of a kernel module cannot be read alone)',
    )
  }
  return Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength)
}

/**
 * Walks over all types once; names and references between types are not checked.
 *
 * @throws BtfError when a type does not fit into the section.
 */
export function indexTypes(words: Uint32Array, origin: string): TypeIndex {
  // Most of it is never written, so the excess costs address space only.
  const capacity = Math.floor(words.length / TYPE_WORDS) + 1
  const wordAt = new Uint32Array(capacity)
  const nameOffset = new Uint32Array(capacity)
  const end = words.length
  let truncatedAtType: TypeId | undefined
  let id = 1
  let at = 0
  while (at + TYPE_WORDS <= end) {
    const info = words[at + 1]!
    const kind = (info >>> 24) & 0x1f
    if (kind > LAST_KIND || (info & INFO_UNUSED) !== 0) {
      truncatedAtType = id
      break
    }
    if (kind === BTF_KIND_UNKN) {
      throw new BtfError(`Broken BTF in ${origin}: type ${id} has kind 0`)
    }
    wordAt[id] = at
    nameOffset[id] = words[at]!
    at += TYPE_WORDS + FIXED_WORDS[kind]! + ELEMENT_WORDS[kind]! * (info & 0xffff)
    id++
  }
  if (truncatedAtType === undefined && at !== end) {
    throw new BtfError(`Broken BTF in ${origin}: the type section ends inside type ${at > end ? id - 1 : id}`)
  }
  return { wordAt: wordAt.subarray(0, id), nameOffset: nameOffset.subarray(0, id), truncatedAtType }
}
