/** What the backends that make records in user space leave out of them. */

import type { Lack } from '../../../facts/rungs.js'

/** Fields of an exit: no message reports signals. */
export const NO_KILLER = ['exit.killedBy', 'exit.killerPid', 'exit.killerUid', 'exit.killerComm']

/** Fields of a record with an identity: two further files of each process would be read. */
export function noLogin(record: string): string[] {
  return [`${record}.loginUid1`, `${record}.auditSession1`]
}

/** The same for `Capabilities`. */
export const NO_LOGIN: Lack = {
  what: 'logins of new processes',
  reason:
    'the login is in no message: it is known of processes that exist already, and not of their children',
}
