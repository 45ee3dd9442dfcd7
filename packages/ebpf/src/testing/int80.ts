/** A program that a 64-bit process can be: it removes a file by the 32-bit system call, as nothing else does. */

import { chmodSync, writeFileSync } from 'node:fs'

/** Where the program lies in memory, and its only segment: the headers of an ELF file come first. */
const BASE = 0x40_0000
const HEADER_BYTES = 64 + 56
/** unlink(2) for 32-bit programs; for others it is mprotect(2). */
export const COMPAT_UNLINK = 10

/**
 * Writes such a program for x86-64 to `program`: its exit code is 0 when it removed `file`. On kernels that run no
 * 32-bit calls it dies.
 *
 * @returns the address of the file's name, which is in the registers of the first argument of both kinds of calls
 */
export function writeInt80Program(program: string, file: string): number {
  const codeBytes = 29
  const name = BASE + HEADER_BYTES + codeBytes
  const word = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer)
  const code = Buffer.concat([
    Buffer.from([0xbb]), // mov ebx, name
    word(name),
    Buffer.from([0xbf]), // mov edi, name
    word(name),
    Buffer.from([0xb8]), // mov eax, unlink
    word(COMPAT_UNLINK),
    Buffer.from([0xcd, 0x80]), // int 0x80
    Buffer.from([0x89, 0xc7]), // mov edi, eax
    Buffer.from([0xb8]), // mov eax, exit
    word(60),
    Buffer.from([0x0f, 0x05]), // syscall
    Buffer.from([0x0f, 0x0b]), // ud2
    Buffer.from([0x90]),
  ])
  const text = Buffer.concat([code, Buffer.from(`${file}\0`)])
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(2, 16) // executable
  header.writeUInt16LE(62, 18) // x86-64
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(BASE + HEADER_BYTES), 24)
  header.writeBigUInt64LE(64n, 32) // program headers
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64) // load
  header.writeUInt32LE(5, 68) // read and execute
  header.writeBigUInt64LE(BigInt(BASE), 80)
  header.writeBigUInt64LE(BigInt(BASE), 88)
  const sizeBytes = BigInt(HEADER_BYTES + text.length)
  header.writeBigUInt64LE(sizeBytes, 96)
  header.writeBigUInt64LE(sizeBytes, 104)
  header.writeBigUInt64LE(0x1000n, 112)
  writeFileSync(program, Buffer.concat([header, text]))
  chmodSync(program, 0o700)
  return name
}
