/** Accounts of users, as the C library finds them: in files, or through name services. */

import { callNative, viewMemory } from './libc.js'

/** A user. */
export interface Account {
  readonly name: string
  readonly uid: number
  /** The user's own group. */
  readonly gid: number
  readonly home: string
  readonly shell: string
}

/** struct passwd of glibc and musl on 64 bits: name, password, uid, gid, comment, home, shell. */
const PASSWD_BYTES = 48
const NAME_AT = 0
const UID_AT = 16
const GID_AT = 20
const HOME_AT = 32
const SHELL_AT = 40
/** NGROUPS_MAX of the kernel. */
const MAX_GROUPS = 65_536

/** The account of a user id; undefined if there is none. */
export function accountOf(uid: number): Account | undefined {
  return readPasswd(callNative('getpwuid', 'void *', ['uint'], uid))
}

/** The account of a name; undefined if there is none. */
export function accountNamed(name: string): Account | undefined {
  return readPasswd(callNative('getpwnam', 'void *', ['str'], name))
}

/** All groups of a user, `gid` included. */
export function groupsOf({ name, gid }: Pick<Account, 'name' | 'gid'>): number[] {
  const groups = new Uint32Array(MAX_GROUPS)
  const count = Int32Array.of(MAX_GROUPS)
  const parameters = ['str', 'uint', 'void *', 'void *']
  callNative('getgrouplist', 'int', parameters, name, gid, groups, count)
  return [...groups.subarray(0, Math.max(0, count[0] as number))]
}

function readPasswd(address: unknown): Account | undefined {
  if (address === null || address === undefined) return undefined
  const entry = new DataView(viewMemory(BigInt(address as bigint), PASSWD_BYTES))
  return {
    name: textAt(entry.getBigUint64(NAME_AT, true)),
    uid: entry.getUint32(UID_AT, true),
    gid: entry.getUint32(GID_AT, true),
    home: textAt(entry.getBigUint64(HOME_AT, true)),
    shell: textAt(entry.getBigUint64(SHELL_AT, true)),
  }
}

function textAt(address: bigint): string {
  if (address === 0n) return ''
  const length = Number(callNative('strlen', 'size_t', ['void *'], address))
  return length === 0 ? '' : Buffer.from(viewMemory(address, length)).toString('utf8')
}
