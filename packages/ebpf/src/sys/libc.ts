import { createRequire } from 'node:module'
import { constants } from 'node:os'
import type * as Koffi from 'koffi'
import { PlatformError } from '../errors.js'
import { syscallNumbers } from './platform.js'

/** The address of memory that JavaScript does not own. */
export type Address = bigint

/** The result of a call, or the negative errno, as system calls return it inside the kernel. */
export type Result = number

type NativeFunction = ((...values: unknown[]) => unknown) & {
  async: (...values: unknown[]) => void
}

/*
 * koffi is loaded at the first call and not at import: the parts of this package that only compute (BTF,
 * assembler, declarations) then work on every operating system, and importing them costs nothing.
 */
let koffi: typeof Koffi | undefined
let library: Koffi.LibraryHandle | undefined
const functions = new Map<string, NativeFunction>()

function loadKoffi(): typeof Koffi {
  if (koffi === undefined) {
    syscallNumbers()
    try {
      koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    } catch (cause) {
      const { code } = cause as { code?: unknown }
      const advice =
        code === 'EMFILE' || code === 'ENFILE'
          ? `${code} (no descriptor is free: raise the limit with ulimit -n)`
          : 'install it for this platform'
      throw new PlatformError(`Cannot load koffi, which calls libc: ${advice}`, { cause })
    }
  }
  return koffi
}

/** One C function of the C library that Node itself runs on, whichever that is (glibc or musl). */
function native(name: string, result: string, parameters: readonly string[]): NativeFunction {
  // syscall(2) is declared several times with other parameter types, so the name alone is not the key.
  const key = `${name}(${parameters.join()})`
  let found = functions.get(key)
  if (found === undefined) {
    library ??= loadKoffi().load(null)
    found = library.func(name, result, [...parameters]) as NativeFunction
    functions.set(key, found)
  }
  return found
}

/** How often a call is made that signals interrupt: a filter of system calls may say EINTR without end. */
const TRIES = 100
const { EINTR, ENOMEM } = constants.errno

/** Calls a function that returns -1 and sets errno; errno must be read before anything else runs. */
function call(name: string, parameters: readonly string[], ...values: unknown[]): Result {
  return untilDone(native(name, 'long', parameters), values)
}

/** As `call`, for functions whose C result is an int: the upper half of the register is not defined. */
function callInt(name: string, parameters: readonly string[], ...values: unknown[]): Result {
  return untilDone(native(name, 'int', parameters), values)
}

/** Calls a function, once more whenever a signal came before it was done. */
function untilDone(found: NativeFunction, values: readonly unknown[]): Result {
  for (let tries = 1; ; tries += 1) {
    const result = Number(found(...values))
    if (result !== -1) return result
    const errno = loadKoffi().errno()
    if (errno !== EINTR || tries >= TRIES) return -errno
  }
}

/**
 * The address of the first byte of `bytes`. It does not keep `bytes` alive: the caller must.
 *
 * @throws {RangeError} when `bytes` is empty, since there is no such byte
 */
export function addressOf(bytes: Uint8Array): Address {
  if (bytes.byteLength === 0) {
    throw new RangeError('An empty buffer has no address')
  }
  return BigInt(loadKoffi().address(bytes))
}

/**
 * A view of `lengthBytes` bytes at `address`. Touching it after the memory is gone, or writing to memory that
 * was mapped for reading, kills the process.
 */
export function viewMemory(address: Address, lengthBytes: number): ArrayBuffer {
  return loadKoffi().view(address, lengthBytes)
}

/** The address of a function or variable that the process has loaded; undefined when there is none of that name. */
export function symbolAddress(name: string): Address | undefined {
  const address = native('dlsym', 'void *', ['void *', 'str'])(null, name) as Address | null
  return address === null ? undefined : BigInt(address)
}

/** Calls a function of the process that this file does not know. `parameters` and `result` are types of koffi. */
export function callNative(
  name: string,
  result: string,
  parameters: readonly string[],
  ...values: readonly unknown[]
): unknown {
  return native(name, result, parameters)(...values)
}

/** Zeroed memory of the C library, which stays until `free`; the negative errno if there is none. */
export function allocate(sizeBytes: number): Address | Result {
  const address = native('calloc', 'void *', ['size_t', 'size_t'])(1, sizeBytes) as Address | null
  return address === null ? -ENOMEM : BigInt(address)
}

/** Frees what `allocate` returned. */
export function free(address: Address): void {
  native('free', 'void', ['void *'])(address)
}

/**
 * The address of a C function `void f(void *, int, int)` that calls `callback`, on the thread of the caller only. It
 * is never given up.
 */
export function callbackAddress(
  name: string,
  callback: (first: Address, second: number, third: number) => void,
): Address {
  const koffi = loadKoffi()
  const prototype = koffi.proto(name, 'void', ['void *', 'int', 'int'])
  return BigInt(koffi.address(koffi.register(callback, koffi.pointer(prototype))))
}

/** bpf(2). `attr` is a `union bpf_attr` of any length; bytes that the kernel does not know must be 0. */
export function bpfSyscall(command: number, attr: Uint8Array): Result {
  const parameters = ['long', 'int', 'void *', 'uint']
  return call('syscall', parameters, syscallNumbers().bpf, command, attr, attr.byteLength)
}

/** perf_event_open(2). */
export function perfEventOpen(attr: Uint8Array, pid: number, cpu: number, flags: number): Result {
  const parameters = ['long', 'void *', 'int', 'int', 'int', 'ulong']
  return call('syscall', parameters, syscallNumbers().perfEventOpen, attr, pid, cpu, -1, flags)
}

const FSOPEN_CLOEXEC = 1
const FSCONFIG_CMD_CREATE = 6
const FSMOUNT_CLOEXEC = 1

/** fsopen(2). */
export function fsOpen(type: string): Result {
  return call('syscall', ['long', 'str', 'uint'], syscallNumbers().fsopen, type, FSOPEN_CLOEXEC)
}

/** fsconfig(2) that makes the file system, with no parameters set. */
export function fsConfigCreate(fd: number): Result {
  const parameters = ['long', 'int', 'uint', 'void *', 'void *', 'int']
  return call('syscall', parameters, syscallNumbers().fsconfig, fd, FSCONFIG_CMD_CREATE, null, null, 0)
}

/** fsmount(2). */
export function fsMount(fd: number): Result {
  return call('syscall', ['long', 'int', 'uint', 'uint'], syscallNumbers().fsmount, fd, FSMOUNT_CLOEXEC, 0)
}

/** Writes to a shared mapping are visible in all mappings of the same object, those to a private one are not. */
export const MAP_SHARED = 1
export const MAP_PRIVATE = 2

/** The mapping takes the place of what is mapped at the address that is given. */
export const MAP_FIXED = 0x10

/**
 * mmap(2) of a descriptor, at an address of the kernel's choice unless one is given. Returns the address or the
 * negative errno.
 */
export function mmap(
  lengthBytes: number,
  protection: number,
  sharing: number,
  fd: number,
  offsetBytes: number,
  at: Address | null = null,
): Address | Result {
  const parameters = ['void *', 'size_t', 'int', 'int', 'int', 'int64']
  const found = native('mmap', 'void *', parameters)
  for (let tries = 1; ; tries += 1) {
    const address = found(at, lengthBytes, protection, sharing, fd, offsetBytes)
    const signed = BigInt.asIntN(64, BigInt(address as bigint))
    if (signed !== -1n) return BigInt.asUintN(64, signed)
    const errno = loadKoffi().errno()
    // A map's memory may be locked by a task that a signal interrupts.
    if (errno !== EINTR || tries >= TRIES) return -errno
  }
}

/** munmap(2). No view of the memory may be touched afterwards. */
export function munmap(address: Address, lengthBytes: number): Result {
  return callInt('munmap', ['void *', 'size_t'], address, lengthBytes)
}

/** The size of a page in bytes: 4 KiB on x64; 4, 16 or 64 KiB on arm64. */
export function pageSizeBytes(): number {
  return Number(native('getpagesize', 'int', [])())
}

/** close(2). Never made twice: Linux frees the number also when a signal interrupts it. */
export function close(fd: number): Result {
  const result = Number(native('close', 'int', ['int'])(fd))
  return result === -1 ? -loadKoffi().errno() : result
}

/** ioctl(2) with an integer argument. */
export function ioctl(fd: number, request: number, argument: number): Result {
  return callInt('ioctl', ['int', 'ulong', 'long'], fd, request, argument)
}

/** eventfd(2). */
export function eventfd(initial: number, flags: number): Result {
  return callInt('eventfd', ['uint', 'int'], initial, flags)
}

/** timerfd_create(2). */
export function timerfd(clockId: number, flags: number): Result {
  return callInt('timerfd_create', ['int', 'int'], clockId, flags)
}

/** timerfd_settime(2) to a time from now. `value` is a struct itimerspec: interval and value. */
export function timerfdSet(fd: number, value: BigInt64Array): Result {
  return callInt('timerfd_settime', ['int', 'int', 'void *', 'void *'], fd, 0, value, null)
}

/** epoll_create1(2). */
export function epollCreate(flags: number): Result {
  return callInt('epoll_create1', ['int'], flags)
}

/** epoll_ctl(2). */
export function epollControl(epollFd: number, operation: number, fd: number, event: Uint8Array): Result {
  return callInt('epoll_ctl', ['int', 'int', 'int', 'void *'], epollFd, operation, fd, event)
}

/** epoll_wait(2) that does not wait. `events` is written in place. */
export function epollPoll(fd: number, events: Uint8Array, maxEvents: number): Result {
  return callInt('epoll_wait', ['int', 'void *', 'int', 'int'], fd, events, maxEvents, 0)
}

/** read(2). */
export function read(fd: number, bytes: Uint8Array): Result {
  return call('read', ['int', 'void *', 'size_t'], fd, bytes, bytes.byteLength)
}

/** write(2). */
export function write(fd: number, bytes: Uint8Array): Result {
  return call('write', ['int', 'void *', 'size_t'], fd, bytes, bytes.byteLength)
}

/** socket(2). */
export function socket(domain: number, type: number, protocol: number): Result {
  return callInt('socket', ['int', 'int', 'int'], domain, type, protocol)
}

/** setns(2), for the thread that calls. */
export function setNamespace(fd: number, type: number): Result {
  return callInt('setns', ['int', 'int'], fd, type)
}

/** bind(2). */
export function bind(fd: number, address: Uint8Array): Result {
  return callInt('bind', ['int', 'void *', 'uint'], fd, address, address.byteLength)
}

/** setsockopt(2). */
export function setSocketOption(fd: number, level: number, option: number, value: Uint8Array): Result {
  const parameters = ['int', 'int', 'int', 'void *', 'uint']
  return callInt('setsockopt', parameters, fd, level, option, value, value.byteLength)
}

/** getsockopt(2). Writes at most the length of `value` and returns how many bytes, or the negative errno. */
export function getSocketOption(fd: number, level: number, option: number, value: Uint8Array): Result {
  const lengthBytes = Uint32Array.of(value.byteLength)
  const parameters = ['int', 'int', 'int', 'void *', 'void *']
  const result = callInt('getsockopt', parameters, fd, level, option, value, lengthBytes)
  return result < 0 ? result : (lengthBytes[0] ?? 0)
}

/** send(2). */
export function send(fd: number, bytes: Uint8Array, flags: number): Result {
  return call('send', ['int', 'void *', 'size_t', 'int'], fd, bytes, bytes.byteLength, flags)
}

/** recv(2). */
export function receive(fd: number, bytes: Uint8Array, flags: number): Result {
  return call('recv', ['int', 'void *', 'size_t', 'int'], fd, bytes, bytes.byteLength, flags)
}

/** prlimit(2) of this process: sets the limit of `resource` to `limit` (two u64: soft, hard). */
export function setResourceLimit(resource: number, limit: Uint8Array): Result {
  return callInt('prlimit', ['int', 'int', 'void *', 'void *'], 0, resource, limit, null)
}

/** clock_gettime(2). `timespec` is written: seconds and nanoseconds, 8 bytes each. */
export function clockGetTime(clockId: number, timespec: BigInt64Array): Result {
  return callInt('clock_gettime', ['int', 'void *'], clockId, timespec)
}

const SIG_BLOCK = 0
const SIG_SETMASK = 2
const SIGSET_SIZE_BYTES = 128

/** Runs `action` with every signal of this thread held back; they are delivered afterwards. */
export function withSignalsBlocked<T>(action: () => T): T {
  const change = native('pthread_sigmask', 'int', ['int', 'void *', 'void *'])
  const before = new Uint8Array(SIGSET_SIZE_BYTES)
  change(SIG_BLOCK, new Uint8Array(SIGSET_SIZE_BYTES).fill(0xff), before)
  try {
    return action()
  } finally {
    change(SIG_SETMASK, before, null)
  }
}

/** chroot(2). */
export function chroot(path: string): Result {
  return callInt('chroot', ['str'], path)
}

/** prctl(2) with integer arguments. */
export function prctl(option: number, second: number = 0): Result {
  const parameters = ['int', 'ulong', 'ulong', 'ulong', 'ulong']
  return callInt('prctl', parameters, option, second, 0, 0, 0)
}

/** capset(2). `header` and `data` are structs __user_cap_header_struct and two of __user_cap_data_struct. */
export function capset(header: Uint8Array, data: Uint8Array): Result {
  return callInt('capset', ['void *', 'void *'], header, data)
}

/** malloc_trim(3) of glibc: whether memory was given back; undefined where the C library has no such function. */
export function mallocTrim(padBytes: number): boolean | undefined {
  try {
    return native('malloc_trim', 'int', ['size_t'])(padBytes) === 1
  } catch {
    // koffi throws if a symbol does not exist: musl has no malloc_trim, and keeps little memory.
    return undefined
  }
}

/** fanotify_init(2). Needs Linux 2.6.37. */
export function fanotifyInit(flags: number, eventFlags: number): Result {
  return callInt('fanotify_init', ['uint', 'uint'], flags, eventFlags)
}

/** fanotify_mark(2) of a path, which is NUL-terminated. */
export function fanotifyMark(fd: number, flags: number, mask: number, path: Uint8Array): Result {
  const parameters = ['int', 'uint', 'uint64', 'int', 'void *']
  return callInt('fanotify_mark', parameters, fd, flags, mask, AT_FDCWD, path)
}

const AT_FDCWD = -100

/** A path as system calls take it. */
export function terminated(path: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(path as string), Buffer.alloc(1)])
}

/** open_by_handle_at(2). `handle` is a `struct file_handle`. */
export function openByHandle(mountFd: number, handle: Uint8Array, flags: number): Result {
  return callInt('open_by_handle_at', ['int', 'void *', 'int'], mountFd, handle, flags)
}

const OPEN_TREE_CLONE = 1
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_NO_AUTOMOUNT = 0x800
const AT_EMPTY_PATH = 0x1000
const AT_STATX_DONT_SYNC = 0x4000
const O_CLOEXEC = 0o2000000

/**
 * open_tree(2) of a copy of the mount that has a NUL-terminated path, whose last part is followed neither if it is a symbolic
 * link nor to what is mounted automatically; the copy is mounted nowhere.
 */
export function cloneMount(path: Uint8Array): Result {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT
  return call('syscall', ['long', 'int', 'void *', 'uint'], syscallNumbers().openTree, AT_FDCWD, path, flags)
}

/**
 * statx(2) of what the kernel knows without asking who serves the file. `into` has 256 bytes.
 *
 * @param at a NUL-terminated path, or a descriptor
 */
export function statMount(at: Uint8Array | number, mask: number, into: Uint8Array): Result {
  const parameters = ['long', 'int', 'void *', 'uint', 'uint', 'void *']
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC
  const { statx } = syscallNumbers()
  return typeof at === 'number'
    ? call('syscall', parameters, statx, at, terminated(''), flags | AT_EMPTY_PATH, mask, into)
    : call('syscall', parameters, statx, AT_FDCWD, at, flags, mask, into)
}

/** statfs(2) of a NUL-terminated path. `into` is a `struct statfs` of 120 bytes. */
export function statFileSystem(path: Uint8Array, into: Uint8Array): Result {
  return callInt('statfs', ['void *', 'void *'], path, into)
}
