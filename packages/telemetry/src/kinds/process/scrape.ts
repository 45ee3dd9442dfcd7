/** Turns what /proc shows of a process into a snapshot record. */

import { encodeRecord } from 'quark-ebpf/probe'
import type { SourceClock, Walk } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import type { ProcessSettings } from './options.js'
import { TICK_NS } from '../../event/time-base.js'
import { bootOffsetNs } from '../../process/procfs/time-namespace.js'
import { type Login, readLogin } from '../../process/procfs/login.js'
import { scanProcesses, type ScrapedProcess } from '../../process/procfs/scan.js'
import {
  HAS_CAPS,
  HAS_COMM,
  HAS_EXACT_START,
  HAS_IDS,
  HAS_NAMESPACES,
  HAS_PARENT,
  HAS_SESSION,
  HAS_TTY,
} from '../../process/known.js'
import { EXACT_STARTS } from './facts.js'
import { olderLayout, snapshotLayout } from './records.js'

/** Records of all processes that exist; those that only wait to be reaped have ended already. */
export function* scanRecords(
  { settings, hierarchy }: Surroundings<ProcessSettings>,
  clock: SourceClock,
  walk: Walk,
): Generator<Uint8Array> {
  const { maxArgvBytes, maxEnvBytes, kernelThreads } = settings
  const options = {
    maxArgvBytes,
    maxEnvBytes,
    hierarchy: hierarchy?.kind ?? 'unified',
    cgroupRoot: hierarchy?.namespaceRoot,
  }
  const timeNs = BigInt(clock.bootNowNs())
  let starts: ExactStarts | undefined
  for (const found of scanProcesses(options)) {
    // After /proc was listed: what is in that list is found by the walk too, unless it has ended.
    starts ??= new ExactStarts(walk)
    if (found.ended === true || (found.kernelThread === true && !kernelThreads)) continue
    const older = starts.of(found)
    yield snapshotRecord(found, timeNs, older?.startBootNs, older?.login ?? readLogin(found.pid))
  }
}

/** What an iterator says of a process. */
interface Older {
  readonly startBootNs: bigint
  readonly login: Login
}

/** Starts of processes as the kernel has them, and their logins; /proc has starts in clock ticks, and logins in further files. */
class ExactStarts {
  readonly #starts = new Map<number, Older>()
  /** Times in /proc are those of the reader's time namespace, so much later than the kernel's. */
  readonly #offsetNs = bootOffsetNs()

  constructor(walk: Walk) {
    walk(EXACT_STARTS, {
      record: (_words, bytes, offset) => {
        const pid = bytes.readUInt32LE(offset + olderLayout.at.pid)
        this.#starts.set(pid, {
          startBootNs: bytes.readBigUInt64LE(offset + olderLayout.at.startBootNs),
          login: {
            loginUid1: bytes.readUInt32LE(offset + olderLayout.at.loginUid1),
            auditSession1: bytes.readUInt32LE(offset + olderLayout.at.auditSession1),
          },
        })
      },
    })
  }

  /** Undefined if it is not known, or that of another process with this pid. */
  of({ pid, startBootNs }: ScrapedProcess): Older | undefined {
    const older = this.#starts.get(pid)
    if (older === undefined || startBootNs === undefined) return undefined
    const shown = older.startBootNs + this.#offsetNs
    return shown - (shown % BigInt(TICK_NS)) === startBootNs ? older : undefined
  }
}

/** The record of one process, as of `timeNs` of CLOCK_BOOTTIME. */
export function snapshotRecord(
  found: ScrapedProcess,
  timeNs: bigint,
  exactStartNs?: bigint,
  login?: Login,
): Uint8Array {
  return encodeRecord(snapshotLayout, { cpu: 0, seq: 0, timeNs }, snapshotValues(found, exactStartNs, login))
}

/** The values of a snapshot record, without those that could not be read. */
export function snapshotValues(found: ScrapedProcess, exactStartNs?: bigint, login?: Login) {
  const known =
    (found.ppid === undefined ? 0 : HAS_PARENT) |
    (found.sid === undefined ? 0 : HAS_SESSION) |
    (found.uid === undefined ? 0 : HAS_IDS) |
    (found.capPermitted === undefined ? 0 : HAS_CAPS) |
    (found.ttyMajor === undefined ? 0 : HAS_TTY) |
    (found.netNs === undefined ? 0 : HAS_NAMESPACES) |
    (found.comm === undefined ? 0 : HAS_COMM) |
    (exactStartNs === undefined ? 0 : HAS_EXACT_START)
  const path = (text: Uint8Array | undefined, deleted: boolean) =>
    text === undefined
      ? undefined
      : { path: text, deleted, ...(found.root === undefined ? {} : { root: found.root }) }
  return withoutUndefined({
    known,
    pid: found.pid,
    tid: found.pid,
    startBootNs: exactStartNs ?? found.startBootNs,
    ppid: found.ppid,
    pgid: found.pgid,
    sid: found.sid,
    uid: found.uid,
    gid: found.gid,
    suid: found.suid,
    sgid: found.sgid,
    euid: found.euid,
    egid: found.egid,
    capInheritable: found.capInheritable,
    capPermitted: found.capPermitted,
    capEffective: found.capEffective,
    capBounding: found.capBounding,
    capAmbient: found.capAmbient,
    ttyMajor: found.ttyMajor,
    ttyMinorStart: found.ttyMinor,
    utsNs: found.utsNs,
    ipcNs: found.ipcNs,
    mntNs: found.mntNs,
    netNs: found.netNs,
    userNs: found.userNs,
    pidNs: found.pidNs,
    cgroupNs: found.cgroupNs,
    timeNs: found.timeNs,
    ...login,
    comm: found.comm,
    argvBytes: found.argvSizeBytes,
    envBytes: found.envSizeBytes,
    cwd: path(found.cwd, false),
    exe: path(found.exe, found.exeDeleted),
    argv: found.argv,
    env: found.env,
    cgroup: found.cgroup,
  })
}

/** `encodeRecord` distinguishes what is absent from what is undefined. */
function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}
