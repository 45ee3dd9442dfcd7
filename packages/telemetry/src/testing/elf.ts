/** Test programs: static ELF files of a few hundred bytes that need no compiler, no loader and no library. */

import { type CallName, type Machine, machineOf } from './machine.js'

/** Where the file is mapped, whole, readable, writable and executable. */
const BASE_ADDRESS = 0x400000
const HEADERS_SIZE_BYTES = 64 + 56

const SIGCHLD = 17
const CLONE_VM = 0x100
const CLONE_VFORK = 0x4000
const PR_SET_NAME = 15
const STDIN = 0
const STDOUT = 1
/** Exit status of a child whose exec failed; the same that shells give. */
const EXEC_FAILED = 127

/** Argument 0 of a call: what the call before it answered. */
export const LAST_RESULT = Symbol('last result')
type Argument = number | typeof LAST_RESULT

/** One process that a program made and waited for. */
export interface Ended {
  readonly pid: number
  /** As wait(2) reports it. */
  readonly status: number
}

/** Collects the constants of a program, which stand between the headers and the code. */
class Image {
  readonly machine: Machine
  readonly #bytes: number[] = []

  constructor(machine: Machine) {
    this.machine = machine
  }

  /** Adds bytes on an 8-byte boundary, and returns their address. */
  place(bytes: Uint8Array): number {
    while (this.#bytes.length % 8 !== 0) {
      this.#bytes.push(0)
    }
    const address = BASE_ADDRESS + HEADERS_SIZE_BYTES + this.#bytes.length
    for (const byte of bytes) {
      this.#bytes.push(byte)
    }
    return address
  }

  placeString(text: string): number {
    return this.place(Buffer.from(`${text}\0`))
  }

  /** A table of pointers that ends with a null pointer. */
  placeStrings(texts: readonly string[]): number {
    const table = new BigUint64Array(texts.length + 1)
    for (const [index, text] of texts.entries()) {
      table[index] = BigInt(this.placeString(text))
    }
    return this.place(new Uint8Array(table.buffer))
  }

  call(name: CallName | number, ...values: Argument[]): number[] {
    const { machine } = this
    const number = typeof name === 'number' ? name : machine.callNumbers[name]
    return [
      ...values.flatMap((value, index) =>
        value === LAST_RESULT ? machine.passResult() : machine.setArgument(index, value),
      ),
      ...machine.call(number),
    ]
  }

  /** The file: headers, constants, code. Execution begins at the first byte of `code`. */
  link(code: readonly number[]): Buffer {
    while (this.#bytes.length % 8 !== 0) {
      this.#bytes.push(0)
    }
    const entry = BASE_ADDRESS + HEADERS_SIZE_BYTES + this.#bytes.length
    const size = HEADERS_SIZE_BYTES + this.#bytes.length + code.length
    return Buffer.concat([this.#headers(entry, size), Uint8Array.from(this.#bytes), Uint8Array.from(code)])
  }

  /** Elf64_Ehdr and one Elf64_Phdr (elf(5)); fields that are not written are 0. */
  #headers(entry: number, size: number): Buffer {
    const headers = Buffer.alloc(HEADERS_SIZE_BYTES)
    headers.write('\x7fELF', 'latin1')
    headers.writeUInt8(2, 4) // e_ident: 64 bits,
    headers.writeUInt8(1, 5) // little-endian,
    headers.writeUInt8(1, 6) // version 1
    headers.writeUInt16LE(2, 16) // e_type: ET_EXEC
    headers.writeUInt16LE(this.machine.elfMachine, 18)
    headers.writeUInt32LE(1, 20) // e_version
    headers.writeBigUInt64LE(BigInt(entry), 24)
    headers.writeBigUInt64LE(64n, 32) // e_phoff
    headers.writeUInt16LE(64, 52) // e_ehsize
    headers.writeUInt16LE(56, 54) // e_phentsize
    headers.writeUInt16LE(1, 56) // e_phnum
    headers.writeUInt32LE(1, 64) // p_type: PT_LOAD
    headers.writeUInt32LE(7, 68) // p_flags: read, write, execute
    headers.writeBigUInt64LE(BigInt(BASE_ADDRESS), 80) // p_vaddr, for p_offset 0
    headers.writeBigUInt64LE(BigInt(BASE_ADDRESS), 88) // p_paddr
    headers.writeBigUInt64LE(BigInt(size), 96) // p_filesz
    headers.writeBigUInt64LE(BigInt(size), 104) // p_memsz
    headers.writeBigUInt64LE(0x10000n, 112) // p_align: the largest page size
    return headers
  }
}

/** One system call of a program, by its name or number; strings and bytes are passed as addresses. */
export type Step = readonly [
  name: CallName | number | typeof COMPAT,
  ...values: (Argument | string | Uint8Array)[],
]

/** In place of a name: a 32-bit call of a 64-bit program, whose number follows. It cannot be repeated. */
export const COMPAT = Symbol('32-bit call')

function placed(image: Image, [name, ...values]: Step): number[] {
  if (name === COMPAT) {
    const [number = 0, ...rest] = values as number[]
    return image.machine.compatCall?.(number, rest) ?? []
  }
  return image.call(
    name,
    ...values.map((value) => {
      if (typeof value === 'string') return image.placeString(value)
      return value instanceof Uint8Array ? image.place(value) : value
    }),
  )
}

/** Makes the given system calls one after the other, all of them `times` times, then ends. */
export function repeatingProgram(
  times: number,
  steps: readonly Step[],
  machine: Machine = machineOf(),
): Buffer {
  const image = new Image(machine)
  const code = steps.flatMap((step) => placed(image, step))
  const end = image.call('exit_group', 0)
  if (times === 1) return image.link([...code, ...end])
  return image.link([...machine.setCounter(times), ...code, ...machine.repeat(code.length), ...end])
}

/** Makes the given system calls one after the other, then sleeps until a signal ends it. */
export function callingProgram(steps: readonly Step[], machine: Machine = machineOf()): Buffer {
  const image = new Image(machine)
  const code = steps.flatMap((step) => placed(image, step))
  const sleep = image.call('ppoll', 0, 0, 0, 0)
  // A handled or stopping signal ends ppoll early: sleep again, a thousand times.
  return image.link([...code, ...machine.setCounter(1000), ...sleep, ...machine.repeat(sleep.length)])
}

/** Ends with a status, at once. */
export function exitingProgram(status: number, machine?: Machine): Buffer {
  return callingProgram([['exit_group', status]], machine)
}

/** Ends itself with a signal, at once. */
export function dyingProgram(signal: number, machine?: Machine): Buffer {
  return callingProgram([['getpid'], ['kill', LAST_RESULT, signal]], machine)
}

/** Sleeps until a signal ends it. */
export function sleepingProgram(machine?: Machine): Buffer {
  return callingProgram([], machine)
}

/** Takes a name of at most 15 bytes, then sleeps. */
export function renamingProgram(comm: string, machine?: Machine): Buffer {
  return callingProgram([['prctl', PR_SET_NAME, comm]], machine)
}

/** Waits for any child and writes its pid and wait status to standard output: 8 bytes, little-endian. */
function reportChild(image: Image, report: number): number[] {
  return [
    ...image.call('wait4', 0xffffffff, report + 4, 0, 0),
    ...image.machine.storeResult(report),
    ...image.call('write', STDOUT, report, 8),
  ]
}

/** Starts a child `count` times, each when the one before has ended, and reports each. */
function sequence(image: Image, count: number, cloneFlags: number, child: readonly number[]): Buffer {
  const { machine } = image
  const report = image.place(new Uint8Array(8))
  const clone = image.call('clone', cloneFlags, 0, 0, 0, 0)
  const parent = reportChild(image, report)
  const end = image.call('exit_group', 0)
  const back = clone.length + machine.skipIfZero(0).length + parent.length
  const again = machine.repeat(back)
  return image.link([
    ...machine.setCounter(count),
    ...clone,
    ...machine.skipIfZero(parent.length + again.length + end.length),
    ...parent,
    ...again,
    ...end,
    ...child,
  ])
}

/** Parameters of a program that makes processes. */
export interface StormShape {
  /** How many processes; at least 1. */
  readonly count: number
  readonly machine?: Machine
}

/** How a child ends: with a status, or by a signal that it sends itself. */
export type End = { readonly status: number } | { readonly signal: number }

/** Forks children that end at once, one after the other. Reports each as `Ended`. */
export function forkingProgram({ count, machine = machineOf() }: StormShape, end: End): Buffer {
  const image = new Image(machine)
  const child =
    'status' in end
      ? image.call('exit_group', end.status)
      : [
          ...image.call('getpid'),
          ...image.call('kill', LAST_RESULT, end.signal),
          ...image.call('ppoll', 0, 0, 0, 0),
        ]
  return sequence(image, count, SIGCHLD, child)
}

/** Starts `argv[0]` with vfork and execve, waits for it, and so on. Reports each as `Ended`. */
export function spawningProgram(
  { count, machine = machineOf() }: StormShape,
  argv: readonly string[],
): Buffer {
  const image = new Image(machine)
  const path = image.placeString(argv[0] ?? '')
  const table = image.placeStrings(argv)
  const child = [...image.call('execve', path, table, 0), ...image.call('exit_group', EXEC_FAILED)]
  return sequence(image, count, CLONE_VM | CLONE_VFORK | SIGCHLD, child)
}

/**
 * Forks all children first, which live together until standard input is closed, and end with `status`. Then
 * waits for all, and reports each as `Ended`.
 */
export function crowdProgram({ count, machine = machineOf() }: StormShape, status: number): Buffer {
  const image = new Image(machine)
  const report = image.place(new Uint8Array(8))
  const clone = image.call('clone', SIGCHLD, 0, 0, 0, 0)
  const again = machine.repeat(clone.length + machine.skipIfZero(0).length)
  const wait = reportChild(image, report)
  const waitAll = [...machine.setCounter(count), ...wait, ...machine.repeat(wait.length)]
  const end = image.call('exit_group', 0)
  return image.link([
    ...machine.setCounter(count),
    ...clone,
    ...machine.skipIfZero(again.length + waitAll.length + end.length),
    ...again,
    ...waitAll,
    ...end,
    ...image.call('read', STDIN, report, 1),
    ...image.call('exit_group', status),
  ])
}

/** Reads what the programs above report. */
export function parseEnded(output: Uint8Array): Ended[] {
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength)
  return Array.from({ length: output.byteLength / 8 }, (_, index) => ({
    pid: view.getInt32(index * 8, true),
    status: view.getInt32(index * 8 + 4, true),
  }))
}
