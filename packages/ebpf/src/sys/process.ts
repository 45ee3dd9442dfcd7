import { callNative, capset, chroot as chrootCall, mallocTrim, prctl, setResourceLimit } from './libc.js'
import { checked } from './permission.js'

/**
 * Changes the root directory of this process, and its working directory to the new root. Node cannot.
 *
 * @throws {KernelError} without CAP_SYS_CHROOT, or when `path` is not a directory
 */
export function chroot(path: string): void {
  checked(`Cannot change the root to "${path}"`, 'chroot', chrootCall(path))
  process.chdir('/')
}

/**
 * Returns memory to the system that was freed outside of the JavaScript heap but that the C library keeps: after a
 * load, it can be tens of megabytes. Takes some milliseconds. Does nothing where the C library is not glibc.
 */
export function trimMemory(): void {
  mallocTrim(0)
}

/** include/uapi/linux/prctl.h, capability.h, asm-generic/resource.h. */
const PR_SET_DUMPABLE = 4
const PR_CAPBSET_READ = 23
const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const CAPABILITY_VERSION_3 = 0x2008_0522
const RLIMIT_CORE = 4

/**
 * Empties the bounding set of this process: whatever it may execute later has no capabilities. Needs CAP_SETPCAP, so it
 * comes before the user is changed.
 *
 * @throws {KernelError} when the kernel refuses
 */
export function dropBoundingSet(): void {
  for (let capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability += 1) {
    checked('Cannot drop a capability', 'prctl(PR_CAPBSET_DROP)', prctl(PR_CAPBSET_DROP, capability))
  }
}

/**
 * Drops, for good, all privileges of the process beyond its user: capabilities, and new privileges by execve(2). Its
 * memory can no longer be read by others, through ptrace(2) or a core dump.
 *
 * @throws {KernelError} when the kernel refuses
 */
export function giveUpRights(): void {
  const action = 'Cannot give up rights'
  const header = new Uint8Array(Uint32Array.of(CAPABILITY_VERSION_3, 0).buffer)
  checked(action, 'capset', capset(header, new Uint8Array(24)))
  // Kernels before 4.3 have no ambient set.
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
  checked(action, 'prctl(PR_SET_NO_NEW_PRIVS)', prctl(PR_SET_NO_NEW_PRIVS, 1))
  checked(action, 'prctl(PR_SET_DUMPABLE)', prctl(PR_SET_DUMPABLE, 0))
  checked(action, 'prlimit(RLIMIT_CORE)', setResourceLimit(RLIMIT_CORE, new Uint8Array(16)))
}

/** Ends this process at once: nothing is flushed, and nothing of it is put back, such as modes of the terminal. */
export function exitNow(status: number): never {
  callNative('_exit', 'void', ['int'], status)
  throw new Error('Cannot be reached: _exit(2) does not return')
}

/**
 * Ends this process by a signal, without a core dump, whatever handles the signal otherwise. Returns if that is
 * impossible, as for the first process of a container.
 */
export function dieOf(signal: number): void {
  setResourceLimit(RLIMIT_CORE, new Uint8Array(16))
  callNative('signal', 'void *', ['int', 'void *'], signal, null)
  process.kill(process.pid, signal)
}
