import { readFileSync } from 'node:fs'
import { chroot, dropBoundingSet, giveUpRights } from 'quark-ebpf'
import { QuarkError } from '../errors.js'

/**
 * Gives up root: changes the root directory, empties all sets of capabilities, and takes the groups and user of another
 * one, with no supplementary groups. Afterwards nothing restores rights (no_new_privs), and other processes cannot
 * inspect this one: it is not dumpable, and leaves no core. An open queue goes on working, as all that it needs is
 * open; later changes of files such as /etc/passwd are not seen. Two backends lose by it: `procConnector` finds nothing
 * in /proc any more, and `audit` cannot delete its rules.
 *
 * @param user name of the user to become
 * @param root directory that becomes `/`; an empty one that the user cannot write is best
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
