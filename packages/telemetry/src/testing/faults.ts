/**
 * Lets a system call of quark fail, whichever it is: those of the C library, which go through koffi, and those of
 * Node's `fs`. Import it before the first of them is made.
 */

import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { constants } from 'node:os'
import type Koffi from 'koffi'

const koffi = createRequire(import.meta.url)('koffi') as {
  load: typeof Koffi.load
  errno: (value?: number) => number
  view: (address: bigint, lengthBytes: number) => ArrayBuffer
}

const { EACCES, EAGAIN, EINTR, EINVAL, EIO, EMFILE, ENOBUFS, ENOMEM } = constants.errno

type Callable = (...values: unknown[]) => unknown

/** What a call fails with where the kernel has no more room. */
const USUAL: Readonly<Record<string, number>> = {
  bpf: ENOMEM,
  'bpf(BPF_MAP_CREATE)': EMFILE,
  'bpf(BPF_RAW_TRACEPOINT_OPEN)': EMFILE,
  perf_event_open: EMFILE,
  fsopen: EMFILE,
  fsmount: EMFILE,
  fsconfig: ENOMEM,
  mmap: ENOMEM,
  close: EIO,
  ioctl: ENOMEM,
  epoll_create1: EMFILE,
  epoll_ctl: ENOMEM,
  epoll_wait: EINVAL,
  timerfd_create: EMFILE,
  timerfd_settime: ENOMEM,
  read: EIO,
  write: EIO,
  socket: EMFILE,
  bind: ENOMEM,
  setsockopt: ENOMEM,
  getsockopt: ENOMEM,
  send: ENOBUFS,
  recv: EIO,
  clock_gettime: EINVAL,
  prlimit: EINVAL,
  uv_poll_init: ENOMEM,
  openSync: EMFILE,
  readSync: EIO,
  writeSync: ENOMEM,
  readFileSync: EMFILE,
  readdirSync: EMFILE,
  statSync: ENOMEM,
  fstatSync: EIO,
}

/** Calls that the kernel ends early if a signal comes, and that must be made again then. */
const INTERRUPTIBLE = [
  'bpf',
  'perf_event_open',
  'mmap',
  'ioctl',
  'epoll_wait',
  'read',
  'bind',
  'send',
  'recv',
]

const BPF_COMMANDS: Readonly<Record<number, string>> = {
  0: 'BPF_MAP_CREATE',
  1: 'BPF_MAP_LOOKUP_ELEM',
  2: 'BPF_MAP_UPDATE_ELEM',
  3: 'BPF_MAP_DELETE_ELEM',
  5: 'BPF_PROG_LOAD',
  15: 'BPF_OBJ_GET_INFO_BY_FD',
  17: 'BPF_RAW_TRACEPOINT_OPEN',
  18: 'BPF_BTF_LOAD',
  28: 'BPF_LINK_CREATE',
}

/** Names of what goes through syscall(2), by architecture and number. */
const SYSCALLS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  x64: { 321: 'bpf', 298: 'perf_event_open', 430: 'fsopen', 431: 'fsconfig', 432: 'fsmount' },
  arm64: { 280: 'bpf', 241: 'perf_event_open', 430: 'fsopen', 431: 'fsconfig', 432: 'fsmount' },
}

/** Parts of the life of a queue, in each of which calls are counted from 0. */
export type Phase = 'open' | 'run' | 'finish' | 'close'

/** A call: the `nth` of its kind in its phase. */
export interface Call {
  readonly phase: Phase
  readonly kind: string
  readonly nth: number
}

/** Which call is to fail, and with what. */
export interface Fault extends Call {
  readonly errno: number
}

let made: Call[] = []
/** How many calls of each kind were made in this phase. */
const counts = new Map<string, number>()
let phase: Phase | undefined
let fault: Fault | undefined
let failed = 0

/** Begins a phase, whose calls are counted. The first is `open`. */
export function enter(next: Phase): void {
  phase = next
  counts.clear()
}

/** Lets a call fail once. */
export function plan(wanted: Fault | undefined): void {
  fault = wanted
  failed = 0
  made = []
}

/** What the kernel refuses from now on: a map, or what uses it. */
let refused: { readonly what: 'map' | 'programs'; readonly mapName: string } | undefined
let refusedFd: number | undefined

/** From now on no map of this name can be made, or the verifier refuses each program that uses it. */
export function refuse(what: 'map' | 'programs', mapName: string): void {
  refused = { what, mapName }
}

/** Of `union bpf_attr`. */
const MAP_NAME = 28
const MAP_NAME_BYTES = 16
const INSTRUCTION_COUNT = 4
const INSTRUCTIONS = 8
const INSTRUCTION_BYTES = 8
const LOG_SIZE = 28
const LOG_BUFFER = 32
const LOG = Buffer.from('refused by a test\nprocessed 1 insns\n\0')
/** The first bytes of an instruction that loads the address of a map; the second one also names a register. */
const LOAD_WIDE = 0x18
const PSEUDO_MAP_FD = 1

/** The errno with which a call is refused; 0 if it is not. */
function refusalOf(kind: string | undefined, values: readonly unknown[]): number {
  const attr = values[2]
  if (kind === 'bpf(BPF_MAP_CREATE)' && refused?.what === 'map')
    return mapNameIn(attr as Uint8Array) === refused.mapName ? EINVAL : 0
  if (kind !== 'bpf(BPF_PROG_LOAD)' || refusedFd === undefined) return 0
  const bytes = Buffer.from(attr as Uint8Array)
  if (!usesMap(bytes, refusedFd)) return 0
  const logBytes = bytes.readUInt32LE(LOG_SIZE)
  // As the verifier does, which says why.
  if (logBytes > LOG.length)
    new Uint8Array(koffi.view(bytes.readBigUInt64LE(LOG_BUFFER), LOG.length)).set(LOG)
  return EACCES
}

function mapNameIn(attr: Uint8Array): string | undefined {
  return Buffer.from(attr)
    .toString('latin1', MAP_NAME, MAP_NAME + MAP_NAME_BYTES)
    .split('\0')[0]
}

function usesMap(attr: Buffer, fd: number): boolean {
  const count = attr.readUInt32LE(INSTRUCTION_COUNT)
  const bytes = Buffer.from(koffi.view(attr.readBigUInt64LE(INSTRUCTIONS), count * INSTRUCTION_BYTES))
  for (let at = 0; at < bytes.length; at += INSTRUCTION_BYTES) {
    const isMap = bytes[at] === LOAD_WIDE && bytes.readUInt8(at + 1) >> 4 === PSEUDO_MAP_FD
    if (isMap && bytes.readInt32LE(at + 4) === fd) return true
  }
  return false
}

/** Ends the last phase. */
export function end(): { readonly calls: readonly Call[]; readonly failed: number } {
  phase = undefined
  fault = undefined
  return { calls: made, failed }
}

/** With what a call of a kind usually fails. */
export function usualErrno(kind: string): number {
  const [name = ''] = kind.split('(')
  return USUAL[kind] ?? USUAL[name.split(' ')[0] as string] ?? EIO
}

/** With what a call of a kind fails that is to be made again; 0 if there is no such thing. */
export function transientErrno(kind: string): number {
  if (kind === 'bpf(BPF_PROG_LOAD)') return EAGAIN
  return INTERRUPTIBLE.includes(kind.split('(')[0] as string) ? EINTR : 0
}

/** The errno with which the call that is made now fails; 0 if it does not. */
function next(kind: string): number {
  if (phase === undefined) return 0
  const nth = counts.get(kind) ?? 0
  counts.set(kind, nth + 1)
  made.push({ phase, kind, nth })
  if (fault?.phase !== phase || fault.kind !== kind || fault.nth !== nth) return 0
  failed += 1
  return fault.errno
}

/** What the kernel is asked for, and undefined for what cannot fail or is no call of the kernel. */
function kindOf(name: string, values: readonly unknown[]): string | undefined {
  if (name !== 'syscall') return Object.hasOwn(USUAL, name) ? name : undefined
  const call = SYSCALLS[process.arch]?.[Number(values[0])]
  return call === 'bpf' ? `bpf(${BPF_COMMANDS[Number(values[1])] ?? values[1]})` : call
}

function failing(name: string, real: Callable): Callable {
  return (...values) => {
    const kind = kindOf(name, values)
    const errno = refusalOf(kind, values) || (kind === undefined ? 0 : next(kind))
    if (errno === 0) {
      const result = real(...values)
      if (refused?.what === 'programs' && kind === 'bpf(BPF_MAP_CREATE)') {
        if (mapNameIn(values[2] as Uint8Array) === refused.mapName) refusedFd = Number(result)
      }
      return result
    }
    if (name === 'uv_poll_init') return -errno
    // The descriptor is free although close(2) failed.
    if (name === 'close') real(...values)
    koffi.errno(errno)
    return name === 'mmap' ? -1n : -1
  }
}

const { load } = koffi
koffi.load = ((path) => {
  const library = load(path)
  return {
    func: (name: string, result: string, parameters: string[]) =>
      failing(name, library.func(name, result, parameters) as Callable),
  }
}) as typeof Koffi.load

/** A file of one process, which may be gone: not to be able to read it is nothing unusual. */
const OF_PROCESS = /^\/proc\/\d+\//

/** Descriptors of such files. */
const ofProcess = new Set<unknown>()

function fsKind(name: string, file: unknown): string {
  const isPath = typeof file === 'string' || Buffer.isBuffer(file)
  return (isPath ? OF_PROCESS.test(String(file)) : ofProcess.has(file)) ? `${name} of a process` : name
}

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]))

const FS = [
  'openSync',
  'readSync',
  'writeSync',
  'readFileSync',
  'readdirSync',
  'statSync',
  'fstatSync',
] as const
for (const name of FS) {
  const real = fs[name] as Callable
  const replaced: Callable = (...values) => {
    const errno = next(fsKind(name, values[0]))
    if (errno === 0) {
      const result = real(...values)
      if (name === 'openSync' && OF_PROCESS.test(String(values[0]))) ofProcess.add(result)
      else if (name === 'openSync') ofProcess.delete(result)
      return result
    }
    const code = ERRNO_NAMES.get(errno) ?? ''
    const syscall = name.replace('Sync', '')
    throw Object.assign(new Error(`${code}: ${syscall} was made to fail`), { errno: -errno, code, syscall })
  }
  Object.assign(fs, { [name]: replaced })
}
syncBuiltinESMExports()
