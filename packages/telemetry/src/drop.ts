import { localNames } from './context/users.js'
import { dropPrivileges as drop } from './self/privileges.js'

/**
 * Gives up root: changes the root directory, empties all sets of capabilities, and takes the groups and user of another
 * one, with no supplementary groups. Afterwards nothing restores rights (no_new_privs), and other processes cannot
 * inspect this one: it is not dumpable, and leaves no core. An open queue goes on working, as all that it needs is
 * open; later changes of files such as /etc/passwd are not seen. Names that only name services know are asked for by a shell
 * that is started before, and ends with this process. Two backends lose by it: `procConnector` finds nothing
 * in /proc any more, and `audit` cannot delete its rules.
 *
 * @param user name of the user to become
 * @param root directory that becomes `/`; an empty one that the user cannot write is best
 * @throws {QuarkError} ERR_QUARK_SYSTEM when there is no such user
 * @throws {KernelError} when the kernel refuses
 */
export function dropPrivileges(user: string, root: string): void {
  localNames.prepareToDrop()
  drop(user, root)
}
