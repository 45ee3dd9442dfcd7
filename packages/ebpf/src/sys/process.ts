import { chroot as chrootCall, mallocTrim } from './libc.js'
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
 * Gives memory back to the system that was freed outside of the JavaScript heap and that the C library keeps for
 * later, which after a load can be tens of megabytes. Takes some milliseconds. Does nothing where the C library is
 * not glibc.
 */
export function trimMemory(): void {
  mallocTrim(0)
}
