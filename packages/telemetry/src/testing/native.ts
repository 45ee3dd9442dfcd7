/** The few C library functions that test programs need and Node does not offer. They act on this process. */

import { closeSync, writeSync } from 'node:fs'
import koffi from 'koffi'

/** Bytes of a string or path without the final NUL; text is taken as UTF-8. */
export type Bytes = string | Uint8Array

/** The arguments of execve(2) beside the path. */
export interface Image {
  readonly argv: readonly Bytes[]
  readonly env: readonly Bytes[]
}

type Func = ReturnType<ReturnType<typeof koffi.load>['func']>

const functions = new Map<string, Func>()

function func(name: string, parameters: readonly string[]): Func {
  let found = functions.get(name)
  if (found === undefined) {
    found = koffi.load(null).func(name, 'int', [...parameters])
    functions.set(name, found)
  }
  return found
}

/** Calls a function that returns -1 and sets errno on failure. */
function call(name: string, parameters: readonly string[], ...values: unknown[]): number {
  const result = Number(func(name, parameters)(...values))
  if (result === -1) {
    throw new Error(`${name} failed: errno ${koffi.errno()}`)
  }
  return result
}

function terminated(bytes: Bytes): Buffer {
  return Buffer.concat([Buffer.from(bytes as Uint8Array), Buffer.alloc(1)])
}

/** A `char *const[]` and the memory that it points into, which must outlive it. */
interface Vector {
  readonly pointers: BigUint64Array
  readonly strings: Buffer
}

function vector(items: readonly Bytes[]): Vector {
  const parts = items.map(terminated)
  const strings = Buffer.concat([...parts, Buffer.alloc(1)])
  const pointers = new BigUint64Array(items.length + 1)
  let address = BigInt(koffi.address(strings))
  for (const [index, part] of parts.entries()) {
    pointers[index] = address
    address += BigInt(part.byteLength)
  }
  return { pointers, strings }
}

/**
 * Replaces this process. Never returns.
 *
 * @throws {Error} when the kernel refuses
 */
export function execve(path: Bytes, { argv, env }: Image): never {
  const [argvVector, envVector] = [vector(argv), vector(env)]
  call('execve', ['void *', 'void *', 'void *'], terminated(path), argvVector.pointers, envVector.pointers)
  throw new Error(`Cannot reach this line: execve answered, with ${argvVector.strings.length} bytes of argv`)
}

/**
 * Replaces this process by a call from another thread than the first. Returns only if the kernel refuses.
 *
 * @throws {Error} when the kernel refuses
 */
export async function execveOnThread(path: Bytes, { argv, env }: Image): Promise<never> {
  const [argvVector, envVector] = [vector(argv), vector(env)]
  const call = func('execve', ['void *', 'void *', 'void *'])
  await new Promise<void>((resolve) => {
    call.async(terminated(path), argvVector.pointers, envVector.pointers, () => resolve())
  })
  throw new Error(`execve failed on a thread, with ${argvVector.strings.length} bytes of argv`)
}

/**
 * Replaces this process with the open file, which may have no name.
 *
 * @throws {Error} when the kernel refuses
 */
export function fexecve(fd: number, { argv, env }: Image): never {
  const [argvVector, envVector] = [vector(argv), vector(env)]
  call('fexecve', ['int', 'void *', 'void *'], fd, argvVector.pointers, envVector.pointers)
  throw new Error(`Cannot reach this line: fexecve answered, with ${argvVector.strings.length} bytes of argv`)
}

/** Makes a memfd that holds `contents`, and returns its descriptor, which the caller owns. */
export function memfd(name: string, contents: Uint8Array): number {
  const MFD_CLOEXEC = 1
  const fd = call('memfd_create', ['void *', 'unsigned int'], terminated(name), MFD_CLOEXEC)
  try {
    writeSync(fd, contents)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return fd
}

const BPF_CALL = process.arch === 'arm64' ? 280 : 321
const BPF_PROG_GET_FD_BY_ID = 13

/** Whether the kernel still has the BPF program of that id. */
export function hasProgram(id: number): boolean {
  const attr = new Uint8Array(Uint32Array.of(id, 0, 0).buffer)
  const fd = Number(
    func('syscall', ['long', 'int', 'void *', 'unsigned int'])(
      BPF_CALL,
      BPF_PROG_GET_FD_BY_ID,
      attr,
      attr.length,
    ),
  )
  if (fd >= 0) closeSync(fd)
  return fd >= 0
}

/** Waits with poll(2), and blocks this thread, until a descriptor is readable: false if it is not after `ms`. */
export function pollOne(fd: number, ms: number): boolean {
  const POLLIN = 1
  // struct pollfd: fd, events and what came.
  const request = new DataView(new ArrayBuffer(8))
  request.setInt32(0, fd, true)
  request.setInt16(4, POLLIN, true)
  return call('poll', ['void *', 'ulong', 'int'], new Uint8Array(request.buffer), 1, ms) === 1
}

/** Sets the ids of all threads. */
export function setresuid(uid: number, euid: number, suid: number): void {
  call('setresuid', ['unsigned int', 'unsigned int', 'unsigned int'], uid, euid, suid)
}

/** Sets the ids of all threads. */
export function setresgid(gid: number, egid: number, sgid: number): void {
  call('setresgid', ['unsigned int', 'unsigned int', 'unsigned int'], gid, egid, sgid)
}

const PR_CAPBSET_DROP = 24
const MAX_CAPABILITIES = 64

/** Takes every capability from the programs that this process executes from now on, whoever their user is. */
export function dropCapabilities(): void {
  const prctl = func('prctl', ['int', 'unsigned long', 'unsigned long', 'unsigned long', 'unsigned long'])
  // The kernel refuses the number behind its last capability.
  for (let capability = 0; capability < MAX_CAPABILITIES; capability += 1) {
    if (Number(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)) === -1) return
  }
}

const AF_NETLINK = 16
const SOCK_RAW = 3
const NETLINK_AUDIT = 9
const NLM_F_REQUEST = 1
const AUDIT_SET = 1001
const AUDIT_STATUS_PID = 4

/** Sends one request to the audit system (include/uapi/linux/audit.h) and waits for no answer. */
function auditRequest(socket: number, type: number, payload: Uint8Array): void {
  const message = Buffer.alloc(16 + payload.length)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(type, 4)
  message.writeUInt16LE(NLM_F_REQUEST, 6)
  message.set(payload, 16)
  call('send', ['int', 'void *', 'size_t', 'int'], socket, message, message.length, 0)
}

/** Makes this process the owner of the audit system, as auditd is. The returned function gives it up again. */
export function ownAudit(): () => void {
  const socket = call('socket', ['int', 'int', 'int'], AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)
  const setOwner = (pid: number): void => {
    const status = new Uint32Array(10)
    status.set([AUDIT_STATUS_PID, 0, 0, pid])
    auditRequest(socket, AUDIT_SET, new Uint8Array(status.buffer))
  }
  setOwner(process.pid)
  return () => {
    setOwner(0)
    closeSync(socket)
  }
}

const AUDIT_ADD_RULE = 1011
const RULE_BYTES = 12 + 4 * 64 * 4 + 4
const AUDIT_FILTER_TASK = 1

/** Adds the rule `never,task`, with which no process that is made from now on is audited. */
export function silenceAudit(): void {
  const socket = call('socket', ['int', 'int', 'int'], AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)
  const rule = new Uint32Array(RULE_BYTES / 4)
  rule[0] = AUDIT_FILTER_TASK
  auditRequest(socket, AUDIT_ADD_RULE, new Uint8Array(rule.buffer))
  closeSync(socket)
}

const SYS_IO_URING_SETUP = 425
const IORING_SETUP_SQPOLL = 2
const IO_URING_PARAMS_BYTES = 120

/** Makes a ring of io_uring (include/uapi/linux/io_uring.h) that a thread of the kernel polls. False if it is refused. */
export function ioUringPolled(): boolean {
  const params = new Uint32Array(IO_URING_PARAMS_BYTES / 4)
  params[2] = IORING_SETUP_SQPOLL
  return Number(func('syscall', ['long', 'unsigned int', 'void *'])(SYS_IO_URING_SETUP, 4, params)) >= 0
}

/** ioctl(2) with a buffer. */
export function ioctl(fd: number, request: number, buffer: Uint8Array): void {
  call('ioctl', ['int', 'unsigned long', 'void *'], fd, request, buffer)
}

/** splice(2) of so many bytes from a pipe. Returns how many went through. */
export function splice(from: number, to: number, bytes: number): number {
  const parameters = ['int', 'void *', 'int', 'void *', 'size_t', 'unsigned int']
  return call('splice', parameters, from, null, to, null, bytes, 0)
}

/** A pipe: the end to read from, and the one to write to. */
export function pipe(): readonly [number, number] {
  const ends = new Int32Array(2)
  call('pipe2', ['void *', 'int'], ends, 0)
  return [ends[0] as number, ends[1] as number]
}
