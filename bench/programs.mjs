/**
 * Workloads: static ELF programs that repeat system calls. They need no compiler, and do nothing that is not
 * to be measured.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitingProgram } from '../packages/telemetry/dist/testing/elf.js'
import { machineOf } from '../packages/telemetry/dist/testing/machine.js'

const BASE_ADDRESS = 0x400000n
const HEADERS_SIZE_BYTES = 64 + 56

const SIGCHLD = 17
const CLONE_VM = 0x100
const CLONE_VFORK = 0x4000
const ANY_CHILD = 0xffffffff
const EXEC_FAILED = 127

/** A directory for programs, removed when this process ends. */
export function makeDirectory() {
  const path = mkdtempSync(join(tmpdir(), 'quark-bench-'))
  chmodSync(path, 0o755)
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Writes a program and returns its path. */
export function writeProgram(directory, name, bytes) {
  const path = join(directory, name)
  writeFileSync(path, bytes, { mode: 0o755 })
  return path
}

/** Writes the program that a spawn storm starts: it ends at once. */
export function writeTrue(directory) {
  return writeProgram(directory, 'true', exitingProgram(0))
}

const AT_FDCWD = 0xffffff9c
const O_WRONLY = 1
const O_CREAT = 0o100

/**
 * Does one thing with a file `count` times.
 *
 * @param what `open` opens and closes it, `write` writes a byte to the one that is open, `create` makes and removes it
 */
export function fileProgram(what, count, path) {
  const image = new Image()
  const name = image.placeString(path)
  const open = (flags) => image.call('openat', AT_FDCWD, name, flags, 0o600)
  // The lowest free descriptor.
  const close = image.call('close', 3)
  const write = image.call('pwrite64', 3, name, 1, 0)
  if (what === 'write') return image.link([...open(O_WRONLY), ...repeat(image, count, write)])
  if (what === 'rewrite') return image.link(repeat(image, count, [...open(O_WRONLY), ...write, ...close]))
  if (what === 'open') return image.link(repeat(image, count, [...open(0), ...close]))
  const remove = image.call('unlinkat', AT_FDCWD, name, 0)
  const written = what === 'new' ? write : []
  return image.link(repeat(image, count, [...open(O_CREAT | O_WRONLY), ...written, ...close, ...remove]))
}

/** Calls getpid(2) `count` times. */
export function getpidProgram(count) {
  const image = new Image()
  return image.link(repeat(image, count, image.call('getpid')))
}

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const BACKLOG = 16
const MSG_TRUNC = 0x20
const SOCKADDR_BYTES = 16

/** A `struct sockaddr_in` in loopback. */
function addressOf({ host, port }) {
  const bytes = Buffer.alloc(SOCKADDR_BYTES)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set([127, ...host], 4)
  return bytes
}

/**
 * Connects `count` times to itself, accepts, and closes both ends.
 *
 * @param host the last three bytes of an address of loopback: each has its own 28,000 ports, which stay taken for a minute
 */
export function connectProgram({ count, host, port }) {
  const image = new Image()
  const address = image.place(addressOf({ host, port }))
  // The lowest free descriptors: 3 listens, 4 connects, 5 is accepted.
  return image.link([
    ...image.call('socket', AF_INET, SOCK_STREAM, 0),
    ...image.call('bind', 3, address, SOCKADDR_BYTES),
    ...image.call('listen', 3, BACKLOG),
    ...repeat(image, count, [
      ...image.call('socket', AF_INET, SOCK_STREAM, 0),
      ...image.call('connect', 4, address, SOCKADDR_BYTES),
      ...image.call('accept', 3, 0, 0),
      ...image.call('close', 4),
      ...image.call('close', 5),
    ]),
  ])
}

/** Two sockets of UDP that are connected to each other: 3, and 4. */
function pairOf(image, host, [port, otherPort]) {
  const [own, other] = [port, otherPort].map((number) => image.place(addressOf({ host, port: number })))
  return [
    ...image.call('socket', AF_INET, SOCK_DGRAM, 0),
    ...image.call('socket', AF_INET, SOCK_DGRAM, 0),
    ...image.call('bind', 3, own, SOCKADDR_BYTES),
    ...image.call('bind', 4, other, SOCKADDR_BYTES),
    ...image.call('connect', 3, other, SOCKADDR_BYTES),
    ...image.call('connect', 4, own, SOCKADDR_BYTES),
  ]
}

/** Sends `payload` from one socket to the other, and receives it there, `count` times; `answer` goes back each time. */
export function datagramProgram({ count, host, ports, payload, answer }) {
  const image = new Image()
  const send = (fd, bytes) => image.call('sendto', fd, image.place(bytes), bytes.length, 0, 0, 0)
  const receive = (fd) => image.call('recvfrom', fd, 0, 0, MSG_TRUNC, 0, 0)
  return image.link([
    ...pairOf(image, host, ports),
    ...repeat(image, count, [
      ...send(4, payload),
      ...receive(3),
      ...(answer === undefined ? [] : [...send(3, answer), ...receive(4)]),
    ]),
  ])
}

/** Makes `count` processes that end at once, one after the other, with clone flags as vfork(2) has them. */
export function vforkProgram(count) {
  const image = new Image()
  const child = image.call('exit_group', 0)
  return image.link(childLoop(image, { count, child }))
}

/**
 * Starts `argv[0]` `count` times with vfork(2) and execve(2), and waits for each.
 *
 * @param pauseMs sleeps so long after each
 */
export function spawnProgram({ count, argv, env = [], pauseMs = 0 }) {
  const image = new Image()
  const path = image.placeString(argv[0])
  const child = [
    ...image.call('execve', path, image.placeStrings(argv), image.placeStrings(env)),
    ...image.call('exit_group', EXEC_FAILED),
  ]
  const pause = pauseMs === 0 ? [] : image.sleep(pauseMs)
  return image.link(childLoop(image, { count, child, pause }))
}

/** Code that makes children, each of which runs `child`, and then ends. */
function childLoop(image, { count, child, pause = [] }) {
  const { machine } = image
  const clone = image.call('clone', CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)
  const parent = [...image.call('wait4', ANY_CHILD, 0, 0, 0), ...pause]
  const end = image.call('exit_group', 0)
  const again = machine.repeat(clone.length + machine.skipIfZero(0).length + parent.length)
  return [
    ...machine.setCounter(count),
    ...clone,
    ...machine.skipIfZero(parent.length + again.length + end.length),
    ...parent,
    ...again,
    ...end,
    ...child,
  ]
}

function repeat(image, count, body) {
  const { machine } = image
  return [
    ...machine.setCounter(count),
    ...body,
    ...machine.repeat(body.length),
    ...image.call('exit_group', 0),
  ]
}

/** A program under construction: headers, constants, code. */
class Image {
  machine = machineOf()
  #constants = Buffer.alloc(0)

  /** Adds bytes on an 8-byte boundary and returns their address. */
  place(bytes) {
    const address = Number(BASE_ADDRESS) + HEADERS_SIZE_BYTES + this.#constants.length
    const padding = Buffer.alloc((8 - (bytes.length % 8)) % 8)
    this.#constants = Buffer.concat([this.#constants, bytes, padding])
    return address
  }

  placeString(text) {
    return this.place(Buffer.from(`${text}\0`))
  }

  /** A table of pointers that ends with a null pointer. */
  placeStrings(texts) {
    const pointers = BigUint64Array.from([...texts.map((text) => BigInt(this.placeString(text))), 0n])
    return this.place(Buffer.from(pointers.buffer))
  }

  /** Sleeps: ppoll(2) of no descriptors with a `struct timespec`. */
  sleep(ms) {
    const timespec = BigInt64Array.from([BigInt(Math.floor(ms / 1000)), BigInt((ms % 1000) * 1e6)])
    return this.call('ppoll', 0, 0, this.place(Buffer.from(timespec.buffer)), 0)
  }

  call(name, ...values) {
    const { machine } = this
    return [
      ...values.flatMap((value, index) => machine.setArgument(index, value)),
      ...machine.call(machine.callNumbers[name]),
    ]
  }

  /** The file; execution begins at the first byte of `code`. */
  link(code) {
    const sizeBytes = BigInt(HEADERS_SIZE_BYTES + this.#constants.length + code.length)
    const headers = Buffer.alloc(HEADERS_SIZE_BYTES)
    headers.set(Buffer.from('\x7fELF\x02\x01\x01', 'latin1'))
    headers.writeUInt16LE(2, 16) // e_type: ET_EXEC
    headers.writeUInt16LE(this.machine.elfMachine, 18)
    headers.writeUInt32LE(1, 20) // e_version
    headers.writeBigUInt64LE(BASE_ADDRESS + BigInt(HEADERS_SIZE_BYTES + this.#constants.length), 24) // e_entry
    headers.writeBigUInt64LE(64n, 32) // e_phoff
    headers.writeUInt16LE(64, 52) // e_ehsize
    headers.writeUInt16LE(56, 54) // e_phentsize
    headers.writeUInt16LE(1, 56) // e_phnum
    headers.writeUInt32LE(1, 64) // p_type: PT_LOAD
    headers.writeUInt32LE(5, 68) // p_flags: read, execute
    headers.writeBigUInt64LE(BASE_ADDRESS, 80) // p_vaddr
    headers.writeBigUInt64LE(BASE_ADDRESS, 88) // p_paddr
    headers.writeBigUInt64LE(sizeBytes, 96) // p_filesz
    headers.writeBigUInt64LE(sizeBytes, 104) // p_memsz
    headers.writeBigUInt64LE(0x10000n, 112) // p_align: the largest page size
    return Buffer.concat([headers, this.#constants, Buffer.from(code)])
  }
}
