import { chroot as chrootCall } from './libc.js'
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
