import { readFileSync } from 'node:fs'
import { chroot, dropBoundingSet, giveUpRights } from 'quark-ebpf'
import { QuarkError } from '../errors.js'

/**
 * Gives up root for good, as `dropPrivileges` of drop.ts says.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when there is no such user
 * @throws {KernelError} when the kernel refuses
 */
export function dropPrivileges(user: string, root: string): void {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`))
  const [, , uid, gid] = (line ?? '').split(':').map(Number)
  if (uid === undefined || gid === undefined || !Number.isInteger(uid) || !Number.isInteger(gid)) {
    throw new QuarkError('ERR_QUARK_SYSTEM', `Cannot become "${user}": /etc/passwd has no such user`)
  }
  chroot(root)
  dropBoundingSet()
  process.setgroups?.([])
  process.setgid?.(gid)
  process.setuid?.(uid)
  giveUpRights()
}
