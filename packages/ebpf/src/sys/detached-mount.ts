/** File systems that are mounted at no path: only this process has them. */

import { type Result, fsConfigCreate, fsMount, fsOpen } from './libc.js'
import { Fd } from './fd.js'
import { checked } from './permission.js'

/**
 * Mounts a file system of a type such as `cgroup2`, and gives a descriptor of its root. Closing that unmounts it. It
 * has no entry in any table of mounts. Needs Linux 5.2 and CAP_SYS_ADMIN.
 *
 * @throws {KernelError} when the kernel refuses
 */
export function openDetached(type: string): Fd {
  const action = `Cannot open file system "${type}"`
  const done = (call: string, result: Result): Result => checked(action, call, result)
  using context = new Fd(done('fsopen', fsOpen(type)), `context of file system "${type}"`)
  done('fsconfig', fsConfigCreate(context.number))
  return new Fd(done('fsmount', fsMount(context.number)), `root of file system "${type}"`)
}
