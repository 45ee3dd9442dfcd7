/** Facts from /proc for records whose message does not carry them. */

import { statSync } from 'node:fs'
import { QuarkError } from '../../errors.js'
import { HAS_CAPS, HAS_COMM, HAS_IDS, HAS_NAMESPACES, HAS_SESSION, HAS_TTY } from '../known.js'
import type { CgroupHierarchy } from './cgroup-mounts.js'
import { parseStat, type ProcStat } from './parse.js'
import { readLatin1, unreadFiles } from './read.js'
import { procProblem } from './pids.js'
import { type ReadLimits, type ScrapedProcess, scrapeProcess } from './scan.js'

/*
 * Facts that are too new for a record, as `HAS_` bits of their groups; the following stands for the tails that an
 * exec makes.
 */
export const STALE_IMAGE = 1 << 30
export const STALE_ALL = ~0

/** What is stale after an exec, which may change rights, too. */
export const STALE_BY_EXEC = HAS_CAPS | HAS_COMM | STALE_IMAGE
export const STALE_BY_IDS = HAS_IDS | HAS_CAPS
export const STALE_BY_SESSION = HAS_SESSION | HAS_TTY

/** Start times in /proc are cut to this. */
export const TICK_NS = 10_000_000n

/** The process or thread that facts are wanted of. */
export interface Subject {
  readonly pid: number
  readonly tid: number
  /** CLOCK_BOOTTIME of what happened to it: a process that began later is another one. */
  readonly timeNs: bigint
  /** When it began, if that is known; to the tick. */
  readonly startBootNs?: bigint | undefined
}

export interface Found extends ScrapedProcess {
  /** 0 when it could not be found. */
  readonly cgroupId: bigint
}

/**
 * Refuses a /proc whose pids are not those that the kernel reports.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when /proc is of another pid namespace than the initial one, or not there
 */
export function checkProc(backend: string): void {
  const problem = procProblem()
  if (problem !== undefined) throw new QuarkError('ERR_QUARK_SYSTEM', `Cannot use ${backend}: ${problem}`)
}

/** Reads facts from /proc, and checks that they are of the wanted process, not of a later one with its pid. */
export class Enricher {
  readonly #hierarchy: CgroupHierarchy | undefined
  readonly #limits: ReadLimits

  constructor(limits: ReadLimits, hierarchy: CgroupHierarchy | undefined) {
    this.#hierarchy = hierarchy
    // One byte more than is wanted shows that there is more.
    const more = (bytes: number): number => (bytes === 0 ? 0 : bytes + 1)
    this.#limits = { maxArgvBytes: more(limits.maxArgvBytes), maxEnvBytes: more(limits.maxEnvBytes) }
  }

  /** Everything about a process as it is now; undefined when it is gone, whoever has its pid. */
  find(subject: Subject): Found | undefined {
    const procPath = directoryOf(subject)
    const found = scrapeProcess(subject.tid, {
      procPath,
      ...this.#limits,
      hierarchy: this.#hierarchy?.kind ?? 'unified',
      cgroupRoot: this.#hierarchy?.namespaceRoot,
    })
    if (found?.startBootNs === undefined || !isSame(found.startBootNs, subject)) return undefined
    // The pid may have been reused between two files.
    const after = parseStat(readLatin1(`${procPath}/${subject.tid}/stat`) ?? '')
    if (after?.startBootNs !== found.startBootNs) return undefined
    const cgroupId = this.#cgroupId(found.cgroup)
    // A process that still has its program and shows no environment has an empty one.
    const hasNone = found.exe !== undefined && !after.leaderEnded && this.#limits.maxEnvBytes > 0
    if (found.env !== undefined || !hasNone) return { ...found, cgroupId }
    return { ...found, cgroupId, env: new Uint8Array(0), envSizeBytes: 0 }
  }

  /** kernfs numbers the directories of cgroups as it numbers the cgroups themselves. */
  #cgroupId(cgroup: Uint8Array | undefined): bigint {
    if (cgroup === undefined || this.#hierarchy === undefined) return 0n
    const { mountPoint, mountRoot } = this.#hierarchy
    const path = Buffer.from(cgroup).toString('latin1')
    const root = mountRoot === '/' ? '' : Buffer.from(mountRoot).toString('latin1')
    if (path !== root && !path.startsWith(`${root}/`)) return 0n
    const below = path.slice(root.length)
    // A cgroup above the root of the namespace is not in this mount.
    if (below.split('/').includes('..')) return 0n
    try {
      const name = Buffer.concat([Buffer.from(mountPoint), Buffer.from(below, 'latin1')])
      return statSync(name, { bigint: true }).ino
    } catch {
      return 0n
    }
  }
}

/** What /proc/PID/stat shows of a process; undefined when it is gone, whoever has its pid. */
export function findStat(subject: Subject): ProcStat | undefined {
  const stat = parseStat(readLatin1(`${directoryOf(subject)}/${subject.tid}/stat`) ?? '')
  return stat !== undefined && isSame(stat.startBootNs, subject) ? stat : undefined
}

/** Whether a process has ended; false if there was no room to find out. */
export function isGone(subject: Subject): boolean {
  const before = unreadFiles()
  const stat = findStat(subject)
  return stat?.ended !== false && unreadFiles() === before
}

function directoryOf({ pid, tid }: Subject): string {
  return pid === tid ? '/proc' : `/proc/${pid}/task`
}

function isSame(foundNs: bigint, { timeNs, startBootNs }: Subject): boolean {
  return startBootNs === undefined ? foundNs <= timeNs : foundNs === startBootNs - (startBootNs % TICK_NS)
}

/** The identity in a record, but for pids and start. */
export interface IdentityFields {
  known: number
  ppid?: number
  pgid?: number
  sid?: number
  uid?: number
  gid?: number
  suid?: number
  sgid?: number
  euid?: number
  egid?: number
  capInheritable?: bigint
  capPermitted?: bigint
  capEffective?: bigint
  capBounding?: bigint
  capAmbient?: bigint
  ttyMajor?: number
  ttyMinorStart?: number
  utsNs?: number
  ipcNs?: number
  mntNs?: number
  netNs?: number
  userNs?: number
  pidNs?: number
  cgroupNs?: number
  timeNs?: number
  cgroupId?: bigint
  comm?: Uint8Array
}

/** Fields of the groups that were found, without those that are `stale`: something changed them since. */
export function identityFields(found: Found | undefined, stale: number): IdentityFields {
  const fields: IdentityFields = { known: 0 }
  if (found === undefined || stale === STALE_ALL) return fields
  const take = <K extends Exclude<keyof IdentityFields, 'known'>>(
    group: number,
    values: { [P in K]: IdentityFields[P] | undefined },
  ): void => {
    if ((stale & group) !== 0 || Object.values(values).includes(undefined)) return
    Object.assign(fields, values)
    fields.known |= group
  }
  const { uid, gid, suid, sgid, euid, egid } = found
  take(HAS_IDS, { uid, gid, suid, sgid, euid, egid })
  const { capInheritable, capPermitted, capEffective, capBounding, capAmbient } = found
  take(HAS_CAPS, { capInheritable, capPermitted, capEffective, capBounding, capAmbient })
  take(HAS_SESSION, { pgid: found.pgid, sid: found.sid })
  take(HAS_TTY, { ttyMajor: found.ttyMajor, ttyMinorStart: found.ttyMinor })
  take(HAS_NAMESPACES, {
    utsNs: found.utsNs,
    ipcNs: found.ipcNs,
    mntNs: found.mntNs,
    netNs: found.netNs,
    // Not all kernels have them.
    userNs: found.userNs ?? 0,
    pidNs: found.pidNs ?? 0,
    cgroupNs: found.cgroupNs ?? 0,
    timeNs: found.timeNs ?? 0,
  })
  take(HAS_COMM, { comm: found.comm })
  if (found.cgroupId !== 0n) fields.cgroupId = found.cgroupId
  return fields
}

interface PathValue {
  readonly path: Uint8Array
  readonly root?: Uint8Array
  readonly deleted?: boolean
}

/** The working directory as a path tail; nothing when it was not found. */
export function cwdField(found: Found | undefined): { cwd?: PathValue } {
  return found?.cwd === undefined ? {} : { cwd: pathValue(found.cwd, found, false) }
}

export interface ImageFields {
  exe?: PathValue
  argv?: Uint8Array
  env?: Uint8Array
  argvBytes?: number
  envBytes?: number
}

/** The image of a process; nothing if a later exec replaced it. */
export function imageFields(found: Found | undefined, stale: number): ImageFields {
  if (found === undefined || (stale & STALE_IMAGE) !== 0) return {}
  const fields: ImageFields = {}
  if (found.exe !== undefined) fields.exe = pathValue(found.exe, found, found.exeDeleted)
  if (found.argv !== undefined && found.argvSizeBytes !== undefined) {
    fields.argv = found.argv
    fields.argvBytes = found.argvSizeBytes
  }
  if (found.env !== undefined && found.envSizeBytes !== undefined) {
    fields.env = found.env
    fields.envBytes = found.envSizeBytes
  }
  return fields
}

function pathValue(path: Uint8Array, { root }: Found, deleted: boolean): PathValue {
  return { path, deleted, ...(root === undefined ? {} : { root }) }
}
