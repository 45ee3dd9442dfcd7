/**
 * Just enough machine code for test programs: load constants, make system calls, count down, branch. Every
 * instruction has a fixed length, so that distances are known before addresses are.
 */

/** System calls that the test programs make. */
export type CallName =
  | 'read'
  | 'write'
  | 'pwrite64'
  | 'openat'
  | 'unlinkat'
  | 'ppoll'
  | 'clone'
  | 'execve'
  | 'exit_group'
  | 'wait4'
  | 'kill'
  | 'getpid'
  | 'setsid'
  | 'setresuid'
  | 'setresgid'
  | 'prctl'
  | 'socket'
  | 'bind'
  | 'listen'
  | 'connect'
  | 'accept'
  | 'sendto'
  | 'recvfrom'
  | 'close'

/** One instruction set. All functions return the bytes of the instructions. */
export interface Machine {
  /** `e_machine` of the ELF header. */
  readonly elfMachine: number
  readonly callNumbers: Readonly<Record<CallName, number>>
  /** Puts a 32-bit constant, zero-extended, into the register of argument 0 to 5. */
  setArgument(index: number, value: number): number[]
  /** Makes the result of the last call argument 0 of the next one. */
  passResult(): number[]
  call(number: number): number[]
  /** A 32-bit system call of a 64-bit program, with constants; undefined where there is none. The counter does not survive it. */
  readonly compatCall?: (number: number, values: readonly number[]) => number[]
  /** Stores the lower 32 bits of the last result at an address. */
  storeResult(address: number): number[]
  setCounter(value: number): number[]
  /** If the last result was 0, jumps over the next `skipBytes` bytes. */
  skipIfZero(skipBytes: number): number[]
  /** Counts down, and unless that made 0 jumps to `backBytes` bytes before this instruction. */
  repeat(backBytes: number): number[]
}

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff]
}

/*
 * x86-64: number in eax, arguments in rdi rsi rdx r10 r8 r9, result in rax. A system call spoils rcx and r11,
 * so ebx counts. Writing a 32-bit register clears the upper half.
 *
 *   mov r32, imm32       [41] B8+r  imm32      41 for r8d to r15d
 *   mov edi, eax         89 C7                 modrm 11 000 111
 *   syscall              0F 05
 *   int 0x80             CD 80                 arguments in ebx ecx edx esi edi
 *   mov [disp32], eax    89 04 25  disp32      modrm 00 000 100, sib 00 100 101: no base, no index
 *   test eax, eax        85 C0
 *   jz rel32             0F 84  rel32          from the end of the instruction
 *   dec ebx              FF CB
 *   jnz rel32            0F 85  rel32
 */
const I386_ARGUMENTS = [0xbb, 0xb9, 0xba, 0xbe, 0xbf] as const
const X64_ARGUMENTS = [[0xbf], [0xbe], [0xba], [0x41, 0xba], [0x41, 0xb8], [0x41, 0xb9]] as const

export const x64: Machine = {
  elfMachine: 62,
  callNumbers: {
    read: 0,
    write: 1,
    pwrite64: 18,
    openat: 257,
    unlinkat: 263,
    getpid: 39,
    clone: 56,
    execve: 59,
    wait4: 61,
    kill: 62,
    setsid: 112,
    setresuid: 117,
    setresgid: 119,
    prctl: 157,
    exit_group: 231,
    ppoll: 271,
    close: 3,
    socket: 41,
    connect: 42,
    accept: 43,
    sendto: 44,
    recvfrom: 45,
    bind: 49,
    listen: 50,
  },
  setArgument: (index, value) => [...X64_ARGUMENTS[index]!, ...littleEndian(value)],
  passResult: () => [0x89, 0xc7],
  call: (number) => [0xb8, ...littleEndian(number), 0x0f, 0x05],
  compatCall: (number, values) => [
    ...values.flatMap((value, index) => [I386_ARGUMENTS[index]!, ...littleEndian(value)]),
    0xb8,
    ...littleEndian(number),
    0xcd,
    0x80,
  ],
  storeResult: (address) => [0x89, 0x04, 0x25, ...littleEndian(address)],
  setCounter: (value) => [0xbb, ...littleEndian(value)],
  skipIfZero: (skipBytes) => [0x85, 0xc0, 0x0f, 0x84, ...littleEndian(skipBytes)],
  // The distance counts from the end: 2 bytes of dec and 6 of jnz further on.
  repeat: (backBytes) => [0xff, 0xcb, 0x0f, 0x85, ...littleEndian(-(backBytes + 8))],
}

/*
 * AArch64: number in w8, arguments in x0 to x5, result in x0; all others survive, so w19 counts. Writing a w
 * register clears the upper half. Branches count in instructions of 4 bytes, from themselves.
 *
 *   movz wd, imm16           52800000 | imm16 << 5 | d
 *   movk wd, imm16, lsl 16   72A00000 | imm16 << 5 | d
 *   svc 0                    D4000001
 *   str wt, [xn]             B9000000 | n << 5 | t
 *   cbz xt, imm19            B4000000 | imm19 << 5 | t
 *   sub wd, wn, imm12        51000000 | imm12 << 10 | n << 5 | d
 *   cbnz wt, imm19           35000000 | imm19 << 5 | t
 */
function arm64Constant(register: number, value: number): number[] {
  return [
    ...littleEndian(0x52800000 | ((value & 0xffff) << 5) | register),
    ...littleEndian(0x72a00000 | ((value >>> 16) << 5) | register),
  ]
}

function arm64Distance(bytes: number): number {
  return ((bytes / 4) & 0x7ffff) << 5
}

export const arm64: Machine = {
  elfMachine: 183,
  callNumbers: {
    read: 63,
    write: 64,
    pwrite64: 68,
    openat: 56,
    unlinkat: 35,
    ppoll: 73,
    exit_group: 94,
    kill: 129,
    setresuid: 147,
    setresgid: 149,
    setsid: 157,
    prctl: 167,
    getpid: 172,
    clone: 220,
    execve: 221,
    wait4: 260,
    close: 57,
    socket: 198,
    bind: 200,
    listen: 201,
    accept: 202,
    connect: 203,
    sendto: 206,
    recvfrom: 207,
  },
  setArgument: arm64Constant,
  passResult: () => [],
  call: (number) => [...arm64Constant(8, number), ...littleEndian(0xd4000001)],
  storeResult: (address) => [...arm64Constant(9, address), ...littleEndian(0xb9000000 | (9 << 5))],
  setCounter: (value) => arm64Constant(19, value),
  skipIfZero: (skipBytes) => littleEndian(0xb4000000 | arm64Distance(skipBytes + 4)),
  repeat: (backBytes) => [
    ...littleEndian(0x51000000 | (1 << 10) | (19 << 5) | 19),
    ...littleEndian(0x35000000 | arm64Distance(-(backBytes + 4)) | 19),
  ],
}

/**
 * The instruction set that Node runs on here.
 *
 * @throws {RangeError} when there is none for it
 */
export function machineOf(arch: string = process.arch): Machine {
  if (arch === 'x64') {
    return x64
  }
  if (arch === 'arm64') {
    return arm64
  }
  throw new RangeError(`Cannot write test programs for this processor: ${arch}`)
}
