/** Broken files to give as the BTF of this kernel. */

import { readFileSync } from 'node:fs'

const BTF_KIND_STRUCT = 4
const HEADER_BYTES = 24

/** BTF of one structure that only kernels of another architecture have. */
function foreignBtf(): Uint8Array {
  const member = process.arch === 'x64' ? 'syscallno' : 'orig_ax'
  const strings = Buffer.from(`\0pt_regs\0${member}\0`)
  // name, kind and number of members, size; then of the member: name, type, place
  const types = Buffer.from(
    Uint32Array.of(1, (BTF_KIND_STRUCT << 24) | 1, 8, '\0pt_regs\0'.length, 0, 0).buffer,
  )
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16LE(0xeb9f, 0)
  header.writeUInt8(1, 2)
  header.writeUInt32LE(HEADER_BYTES, 4)
  header.writeUInt32LE(types.length, 12)
  header.writeUInt32LE(types.length, 16)
  header.writeUInt32LE(strings.length, 20)
  return Buffer.concat([header, types, strings])
}

/** Broken contents, by what is wrong with them, and the message of the error. */
export function brokenBtf(): { name: string; contents: string | Uint8Array; reason: RegExp }[] {
  const whole = readFileSync('/sys/kernel/btf/vmlinux')
  const types = Buffer.from(whole)
  // The first type is of no kind.
  types.writeUInt32LE(0, types.readUInt32LE(4) + 4)
  return [
    { name: 'empty', contents: '', reason: /^Broken BTF in \S+: 0 bytes cannot hold a header$/ },
    {
      name: 'text',
      contents: 'neither BTF nor ELF, nor JSON',
      reason: /^No BTF in \S+: it starts with neither/,
    },
    { name: 'a table cut short', contents: '{"format":1,', reason: /it is not JSON/ },
    {
      name: 'cut short',
      contents: whole.subarray(0, 100_000),
      reason: /^Broken BTF in \S+: \w+ section of \d+ bytes/,
    },
    { name: 'of wrong types', contents: types, reason: /^Broken BTF in \S+: type 1 has kind 0$/ },
    {
      name: 'of another architecture',
      contents: foreignBtf(),
      reason: /it is of a kernel for \w+, and this is \w+$/,
    },
  ]
}
