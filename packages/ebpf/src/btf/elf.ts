import { BtfError } from '../errors.js'

const ELF_MAGIC = 0x464c457f
const ELFCLASS64 = 2
const ELFDATA2LSB = 1
const SHT_NOBITS = 8
const HEADER_SIZE_BYTES = 64
const SECTION_HEADER_SIZE_BYTES = 64

interface Section {
  nameOffset: number
  type: number
  start: number
  size: number
}

/** Whether `bytes` start as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === ELF_MAGIC
}

/**
 * The bytes of a section of a 64-bit little-endian ELF file, not copied.
 *
 * @throws BtfError when the file is of another sort, is broken, or has no such section.
 */
export function elfSection(bytes: Uint8Array, name: string, origin: string): Uint8Array {
  if (bytes.length < HEADER_SIZE_BYTES) {
    throw new BtfError(`Broken ELF file in ${origin}: it ends inside its header (${bytes.length} bytes)`)
  }
  if (bytes[4] !== ELFCLASS64 || bytes[5] !== ELFDATA2LSB) {
    throw new BtfError(`Cannot read ELF file in ${origin}: it is not a 64-bit little-endian one`)
  }
  const sections = readSections(bytes, origin)
  const view = viewOf(bytes)
  // Files with 0xff00 sections or more keep the real index in `sh_link` of section 0.
  const namesIndex = view.getUint16(62, true)
  const names = sections[namesIndex]
  if (names === undefined) {
    throw new BtfError(`Broken ELF file in ${origin}: section names are in missing section ${namesIndex}`)
  }
  const nameBytes = contents(bytes, names, origin)
  const wanted = Buffer.from(`${name}\0`)
  const found = sections.find((section) =>
    wanted.equals(nameBytes.subarray(section.nameOffset, section.nameOffset + wanted.length)),
  )
  if (found === undefined || found.type === SHT_NOBITS) {
    throw new BtfError(
      `No ${name} section with contents in ${origin}: give an ELF file that was built with BTF, or raw BTF`,
    )
  }
  return contents(bytes, found, origin)
}

function readSections(bytes: Uint8Array, origin: string): Section[] {
  const view = viewOf(bytes)
  const tableStart = Number(view.getBigUint64(40, true))
  const entrySize = view.getUint16(58, true)
  const count = view.getUint16(60, true)
  if (entrySize < SECTION_HEADER_SIZE_BYTES || tableStart + count * entrySize > bytes.length) {
    throw new BtfError(
      `Broken ELF file in ${origin}: its section table (${count} entries of ${entrySize} bytes at ${tableStart}) ` +
        `does not fit into ${bytes.length} bytes`,
    )
  }
  return Array.from({ length: count }, (_, index) => {
    const at = tableStart + index * entrySize
    return {
      nameOffset: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      start: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    }
  })
}

function contents(bytes: Uint8Array, section: Section, origin: string): Uint8Array {
  if (section.start + section.size > bytes.length) {
    throw new BtfError(
      `Broken ELF file in ${origin}: a section of ${section.size} bytes at ${section.start} ` +
        `does not fit into ${bytes.length} bytes`,
    )
  }
  return bytes.subarray(section.start, section.start + section.size)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
