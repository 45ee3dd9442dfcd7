/** Finds BTF in whatever file holds a kernel. */

import { spawnSync } from 'node:child_process'

/** How compressed data begins, and what unpacks it. A kernel's data may be followed by its size, which they bemoan. */
const COMPRESSIONS = [
  { magic: [0x1f, 0x8b], command: ['gzip', '-dc'] },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], command: ['xz', '-dc', '--single-stream'] },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], command: ['zstd', '-dc'] },
  { magic: [0x02, 0x21, 0x4c, 0x18], command: ['lz4', '-dc'] },
]
const ELF_MAGIC = 0x464c457f
/** Magic number, version, flags and header size of BTF. */
const BTF_START = Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0])

/**
 * The BTF in a file, and the release of the kernel if the file has it. Raw BTF and ELF files are returned as
 * they are; images are unpacked.
 *
 * @returns {{ btf: Buffer, release?: string }}
 */
export function readImage(bytes) {
  if (bytes.subarray(0, BTF_START.length).equals(BTF_START)) return { btf: bytes }
  if (bytes.readUInt32LE(0) === ELF_MAGIC) return { btf: bytes, ...releaseOf(bytes) }
  const kernel = unpack(payloadOf(bytes))
  return { btf: largestBtf(kernel), ...releaseOf(kernel) }
}

/**
 * The compressed kernel inside of an image:
 *
 *   bzImage     setup_sects u8 at 0x1f1, "HdrS" at 0x202, payload_offset u32 at 0x248, payload_length u32 at 0x24c;
 *               the payload is counted from behind the setup sectors (Documentation/arch/x86/boot.rst)
 *   EFI zboot   "zimg" at 4, offset u32 at 8, size u32 at 12 (drivers/firmware/efi/libstub/zboot-header.S)
 */
function payloadOf(bytes) {
  if (bytes.toString('latin1', 0x202, 0x206) === 'HdrS') {
    const sectors = bytes[0x1f1] === 0 ? 4 : bytes[0x1f1]
    const start = (sectors + 1) * 512 + bytes.readUInt32LE(0x248)
    return bytes.subarray(start, start + bytes.readUInt32LE(0x24c))
  }
  if (bytes.toString('latin1', 4, 8) === 'zimg') {
    const start = bytes.readUInt32LE(8)
    return bytes.subarray(start, start + bytes.readUInt32LE(12))
  }
  return bytes
}

function unpack(bytes) {
  const compression = COMPRESSIONS.find(({ magic }) => magic.every((byte, index) => bytes[index] === byte))
  if (compression === undefined) return bytes
  const [command, ...args] = compression.command
  // What follows the data makes them fail after they wrote all of it.
  const { stdout, error } = spawnSync(command, args, { input: bytes, maxBuffer: 1 << 30 })
  if (error !== undefined)
    throw new Error(`Cannot unpack the kernel: ${command} does not run (install it)`, { cause: error })
  return stdout
}

/** Modules and signatures may hold BTF as well; that of the kernel is by far the largest. */
function largestBtf(kernel) {
  let largest
  for (let at = kernel.indexOf(BTF_START); at !== -1; at = kernel.indexOf(BTF_START, at + 1)) {
    if (at + 24 > kernel.length) break
    const end = at + 24 + kernel.readUInt32LE(at + 16) + kernel.readUInt32LE(at + 20)
    if (end <= kernel.length && (largest === undefined || end - at > largest.length))
      largest = kernel.subarray(at, end)
  }
  if (largest === undefined)
    throw new Error('No BTF in this file: give a kernel that was built with CONFIG_DEBUG_INFO_BTF')
  return largest
}

function releaseOf(kernel) {
  const at = kernel.indexOf('Linux version ')
  const release = /^Linux version (\d\S*) /.exec(kernel.toString('latin1', at, at + 256))?.[1]
  return release === undefined ? {} : { release }
}
