/** As whom a command runs. */

import { type Account, accountNamed, accountOf, groupsOf } from 'quark-telemetry'
import { quote } from '../arguments.js'
import { CommandError, STATUS_FAILED } from './program.js'

/** The ids and the environment that a command gets in place of this process's. */
export interface CommandUser {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  /** Variables to set; undefined removes one. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** What sudo(8) says about its caller. */
const OF_SUDO = ['SUDO_USER', 'SUDO_UID', 'SUDO_GID', 'SUDO_COMMAND', 'SUDO_HOME'] as const
const ROOT_HOME = '/root'
const MAX_ID = 0xffff_fffe

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The user that a command runs as: the one of `--as`, else the one who called sudo, else undefined: nothing changes.
 *
 * @param wanted a name or a number; undefined if none is asked for
 * @throws {CommandError} when there is no such user, this process may not become another one, or who called sudo cannot be known
 */
export function commandUser(
  wanted: string | undefined,
  environment: Environment,
  ownUid: number,
): CommandUser | undefined {
  if (wanted !== undefined) {
    const account = accountOfText(wanted)
    if (account.uid === ownUid) return undefined
    if (ownUid !== 0) {
      throw new CommandError(
        `Cannot run the command as ${quote(wanted)}: only root may (leave out --as, or use sudo)`,
        STATUS_FAILED,
      )
    }
    return withAccount(account, account.gid, environment)
  }
  const { SUDO_UID: uidText, SUDO_GID: gidText } = environment
  if (ownUid !== 0 || (uidText === undefined && gidText === undefined)) return undefined
  const uid = idOf(uidText)
  const gid = idOf(gidText)
  if (uid === undefined || gid === undefined) {
    // A command must not become root's by accident.
    throw new CommandError(
      `Cannot know who called sudo: SUDO_UID is ${quote(uidText ?? '')} and SUDO_GID ${quote(gidText ?? '')} ` +
        '(give --as USER, or --as root)',
      STATUS_FAILED,
    )
  }
  // Root may call sudo, too.
  if (uid === 0) return undefined
  const account = accountOf(uid)
  if (account !== undefined) return withAccount(account, gid, environment)
  return { uid, gid, groups: [gid], environment: without(OF_SUDO) }
}

function accountOfText(text: string): Account {
  const uid = idOf(text)
  const account = accountNamed(text) ?? (uid === undefined ? undefined : accountOf(uid))
  if (account !== undefined) return account
  if (uid !== undefined) return { name: text, uid, gid: uid, home: '', shell: '' }
  throw new CommandError(`Cannot run the command as ${quote(text)}: there is no such user`, STATUS_FAILED)
}

function withAccount(account: Account, gid: number, environment: Environment): CommandUser {
  const { uid, name, home, shell } = account
  const isReplaced =
    environment['HOME'] === undefined || environment['HOME'] === (accountOf(0)?.home ?? ROOT_HOME)
  return {
    uid,
    gid,
    groups: groupsOf({ name, gid }),
    environment: {
      ...without(OF_SUDO),
      USER: name,
      LOGNAME: name,
      ...(shell === '' ? {} : { SHELL: shell }),
      // Unless sudo has kept the user's own, as with -E.
      ...(isReplaced && home !== '' ? { HOME: home } : {}),
      ...(environment['MAIL'] === undefined ? {} : { MAIL: `/var/mail/${name}` }),
    },
  }
}

function without(names: readonly string[]): Record<string, undefined> {
  return Object.fromEntries(names.map((name) => [name, undefined]))
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined
  const id = Number(text)
  return id <= MAX_ID ? id : undefined
}
