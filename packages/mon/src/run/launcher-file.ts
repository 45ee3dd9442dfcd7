/**
 * The program that a command is started through: a static ELF file of some 200 bytes that makes the system calls which
 * it is sent, one after the other. So a process can be held between its start and its exec, and get what Node cannot
 * give: groups, limits, ignored signals. The build writes it into dist/, for each processor.
 */

/** Where the file is mapped, whole. */
const BASE_ADDRESS = 0x400000
const HEADERS_SIZE_BYTES = 64 + 56
/** The largest page size. */
const ALIGNMENT_BYTES = 0x10000

/** A request: the number of a system call and its six arguments, 8 bytes each. */
export const REQUEST_BYTES = 56
/** An answer: the result of the call. */
export const ANSWER_BYTES = 8
/** Status of a launcher that was not sent away: nobody speaks to it any more. */
export const LAUNCHER_STATUS = 125

interface Program {
  /** `e_machine` of the ELF header. */
  readonly machine: number
  readonly code: readonly number[]
}

/*
 * The stack begins with the number of arguments: that is the descriptor to listen at.
 *
 *   descriptor = stack[0]
 *   while (read(descriptor, frame, 56) == 56) {
 *     frame[0] = syscall(frame[0], frame[1], … frame[6])
 *     write(descriptor, frame, 8)
 *   }
 *   exit_group(125)
 */
const X64: Program = {
  machine: 62,
  code: [
    [0x48, 0x8b, 0x1c, 0x24], // mov rbx, [rsp]
    [0x48, 0x83, 0xec, 64], // sub rsp, 64
    [0x31, 0xc0], // again: xor eax, eax
    [0x89, 0xdf], // mov edi, ebx
    [0x48, 0x89, 0xe6], // mov rsi, rsp
    [0xba, REQUEST_BYTES, 0, 0, 0], // mov edx, 56
    [0x0f, 0x05], // syscall
    [0x83, 0xf8, REQUEST_BYTES], // cmp eax, 56
    [0x75, 59], // jne end
    [0x48, 0x8b, 0x04, 0x24], // mov rax, [rsp]
    [0x48, 0x8b, 0x7c, 0x24, 8], // mov rdi, [rsp + 8]
    [0x48, 0x8b, 0x74, 0x24, 16], // mov rsi, [rsp + 16]
    [0x48, 0x8b, 0x54, 0x24, 24], // mov rdx, [rsp + 24]
    [0x4c, 0x8b, 0x54, 0x24, 32], // mov r10, [rsp + 32]
    [0x4c, 0x8b, 0x44, 0x24, 40], // mov r8, [rsp + 40]
    [0x4c, 0x8b, 0x4c, 0x24, 48], // mov r9, [rsp + 48]
    [0x0f, 0x05], // syscall
    [0x48, 0x89, 0x04, 0x24], // mov [rsp], rax
    [0xb8, 1, 0, 0, 0], // mov eax, 1
    [0x89, 0xdf], // mov edi, ebx
    [0x48, 0x89, 0xe6], // mov rsi, rsp
    [0xba, ANSWER_BYTES, 0, 0, 0], // mov edx, 8
    [0x0f, 0x05], // syscall
    [0xeb, 0x100 - 78], // jmp again
    [0xbf, LAUNCHER_STATUS, 0, 0, 0], // end: mov edi, 125
    [0xb8, 231, 0, 0, 0], // mov eax, 231
    [0x0f, 0x05], // syscall
  ].flat(),
}

const ARM64: Program = {
  machine: 183,
  code: [
    0xf94003f3, // ldr x19, [sp]
    0xd10103ff, // sub sp, sp, #64
    0xaa1303e0, // again: mov x0, x19
    0x910003e1, // mov x1, sp
    0xd2800702, // mov x2, #56
    0xd28007e8, // mov x8, #63
    0xd4000001, // svc #0
    0xf100e01f, // cmp x0, #56
    0x540001a1, // b.ne end
    0xa94003e8, // ldp x8, x0, [sp]
    0xa9410be1, // ldp x1, x2, [sp, #16]
    0xa94213e3, // ldp x3, x4, [sp, #32]
    0xf9401be5, // ldr x5, [sp, #48]
    0xd4000001, // svc #0
    0xf90003e0, // str x0, [sp]
    0xaa1303e0, // mov x0, x19
    0x910003e1, // mov x1, sp
    0xd2800102, // mov x2, #8
    0xd2800808, // mov x8, #64
    0xd4000001, // svc #0
    0x17ffffee, // b again
    0xd2800fa0, // end: mov x0, #125
    0xd2800bc8, // mov x8, #94
    0xd4000001, // svc #0
  ].flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]),
}

const PROGRAMS: Readonly<Record<string, Program>> = { x64: X64, arm64: ARM64 }

/** The processors that there is a launcher for, as Node calls them. */
export const LAUNCHER_ARCHITECTURES: readonly string[] = Object.keys(PROGRAMS)

/** The name of the file in dist/. */
export function launcherName(architecture: string): string {
  return `launcher-${architecture}`
}

/**
 * The bytes of the file: Elf64_Ehdr and one Elf64_Phdr (elf(5)), then the code. What is not written is 0.
 *
 * @throws {RangeError} for a processor that there is none for
 */
export function launcherFile(architecture: string): Uint8Array {
  const program = PROGRAMS[architecture]
  if (program === undefined) throw new RangeError(`There is no launcher for this processor: ${architecture}`)
  const { machine, code } = program
  const sizeBytes = HEADERS_SIZE_BYTES + code.length
  const file = Buffer.alloc(sizeBytes)
  file.write('\x7fELF', 'latin1')
  file.writeUInt8(2, 4) // e_ident: 64 bits,
  file.writeUInt8(1, 5) // little-endian,
  file.writeUInt8(1, 6) // version 1
  file.writeUInt16LE(2, 16) // e_type: ET_EXEC
  file.writeUInt16LE(machine, 18)
  file.writeUInt32LE(1, 20) // e_version
  file.writeBigUInt64LE(BigInt(BASE_ADDRESS + HEADERS_SIZE_BYTES), 24) // e_entry
  file.writeBigUInt64LE(64n, 32) // e_phoff
  file.writeUInt16LE(64, 52) // e_ehsize
  file.writeUInt16LE(56, 54) // e_phentsize
  file.writeUInt16LE(1, 56) // e_phnum
  file.writeUInt32LE(1, 64) // p_type: PT_LOAD
  file.writeUInt32LE(5, 68) // p_flags: read and execute
  file.writeBigUInt64LE(BigInt(BASE_ADDRESS), 80) // p_vaddr, for p_offset 0
  file.writeBigUInt64LE(BigInt(BASE_ADDRESS), 88) // p_paddr
  file.writeBigUInt64LE(BigInt(sizeBytes), 96) // p_filesz
  file.writeBigUInt64LE(BigInt(sizeBytes), 104) // p_memsz
  file.writeBigUInt64LE(BigInt(ALIGNMENT_BYTES), 112) // p_align
  file.set(code, HEADERS_SIZE_BYTES)
  return file
}
