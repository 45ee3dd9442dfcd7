/** Names of users and groups, from passwd(5), group(5), and what else nsswitch.conf(5) lists. */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { monotonicMs } from '../event/time-base.js'
import { KeptServices } from './kept-services.js'
import { NameServices, type NameServicesOptions } from './nss.js'

export interface UserNamesOptions {
  /** Default `/etc/passwd`. */
  readonly passwdPath?: string
  /** Default `/etc/group`. */
  readonly groupPath?: string
  /** A clock in ms that never goes back. Default: the process's own. */
  readonly nowMs?: () => number
  /** Where names that the files do not have are asked for. Default: nowhere. */
  readonly services?: Omit<NameServicesOptions, 'nowMs'>
}

/** Shortest time between two checks of the files for changes. */
const CHECK_INTERVAL_MS = 1_000

/** Larger files are read only up to here: a machine with more users keeps them elsewhere. */
const MAX_FILE_SIZE_BYTES = 16 * 1024 * 1024

/**
 * Users and groups by their ids. Files that change are read again; while one is missing, the names it had are
 * kept. Ids that they do not have are asked for by getent(1), if nsswitch.conf(5) lists other sources: nothing waits, and
 * the name is known a moment later.
 */
export class UserNames {
  readonly #users: NameFile
  readonly #groups: NameFile
  readonly #otherUsers: NameServices | undefined
  readonly #otherGroups: NameServices | undefined
  readonly #command: string
  #kept: KeptServices | undefined = undefined

  constructor({
    passwdPath = '/etc/passwd',
    groupPath = '/etc/group',
    nowMs = monotonicMs,
    services,
  }: UserNamesOptions = {}) {
    this.#command = services?.command ?? 'getent'
    this.#otherUsers = services && new NameServices('passwd', { ...services, nowMs })
    this.#otherGroups = services && new NameServices('group', { ...services, nowMs })
    this.#users = new NameFile(passwdPath, nowMs)
    this.#groups = new NameFile(groupPath, nowMs)
  }

  /** Makes that names are asked for after this process has given up its rights, too: reads the files, and starts what asks. */
  prepareToDrop(): void {
    this.userName(0)
    this.groupName(0)
    const others = [this.#otherUsers, this.#otherGroups].filter((other) => other?.isUseful === true)
    if (others.length === 0) return
    this.#kept ??= new KeptServices(this.#command)
    for (const other of others) other?.askBy(this.#kept)
  }

  /** Ends what asks after rights were given up. */
  close(): void {
    this.#kept?.close()
  }

  /** The name of a user. */
  userName(uid: number): string | undefined {
    return this.#users.nameOf(uid) ?? this.#otherUsers?.nameOf(uid)
  }

  /** The uid of a user; the first one in the file if several users have the name. */
  userId(name: string): number | undefined {
    return this.#users.idOf(name)
  }

  /** The names of all users. */
  users(): string[] {
    return this.#users.all()
  }

  /** The name of a group. */
  groupName(gid: number): string | undefined {
    return this.#groups.nameOf(gid) ?? this.#otherGroups?.nameOf(gid)
  }
}

/** A file of lines `name:password:id:…`, as both files are. */
class NameFile {
  readonly #path: string
  readonly #nowMs: () => number
  #names: ReadonlyMap<number, string> = new Map()
  #version = ''
  #nextCheckMs = Number.NEGATIVE_INFINITY

  constructor(path: string, nowMs: () => number) {
    this.#path = path
    this.#nowMs = nowMs
  }

  nameOf(id: number): string | undefined {
    this.#check()
    return this.#names.get(id)
  }

  idOf(name: string): number | undefined {
    this.#check()
    for (const [id, known] of this.#names) if (known === name) return id
    return undefined
  }

  all(): string[] {
    this.#check()
    return [...this.#names.values()]
  }

  #check(): void {
    const now = this.#nowMs()
    if (now < this.#nextCheckMs) return
    this.#nextCheckMs = now + CHECK_INTERVAL_MS
    this.#readIfChanged()
  }

  #readIfChanged(): void {
    let fd: number | undefined
    try {
      if (versionOf(statSync(this.#path, { bigint: true })) === this.#version) return
      fd = openSync(this.#path, 'r')
      // The version of the file that is read: another one may have taken its name meanwhile.
      const version = versionOf(fstatSync(fd, { bigint: true }))
      this.#names = parseNames(readStart(fd))
      this.#version = version
    } catch {
      // Missing or unreadable, for now or for good: the next check tries again.
    } finally {
      if (fd !== undefined) closeSync(fd)
    }
  }
}

function versionOf(stat: { ino: bigint; mtimeNs: bigint; size: bigint }): string {
  return `${stat.ino} ${stat.mtimeNs} ${stat.size}`
}

function readStart(fd: number): string {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  while (sizeBytes < MAX_FILE_SIZE_BYTES) {
    const piece = Buffer.allocUnsafe(Math.min(64 * 1024, MAX_FILE_SIZE_BYTES - sizeBytes))
    const length = readSync(fd, piece)
    if (length === 0) return Buffer.concat(pieces).toString('utf8')
    pieces.push(piece.subarray(0, length))
    sizeBytes += length
  }
  // The last line may be cut, and a cut id is another user's.
  const text = Buffer.concat(pieces).toString('utf8')
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

const MAX_ID = 0xffff_ffff

/** Reads lines `name:password:id:…`. Of several names of one id the first counts; other lines are passed over. */
export function parseNames(text: string): Map<number, string> {
  const names = new Map<number, string>()
  for (const line of text.split('\n')) {
    // A plus or minus in front asks name services for more.
    const match = /^([^:#+-][^:]*):[^:]*:(\d{1,10})(?::|$)/.exec(line)
    const [, name, digits] = match ?? []
    const id = Number(digits)
    if (name !== undefined && id <= MAX_ID && !names.has(id)) names.set(id, name)
  }
  return names
}

/** The users and groups of this machine. Its files are read when the first name is asked for. */
export const localNames = new UserNames({ services: {} })
