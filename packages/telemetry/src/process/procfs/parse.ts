/** The formats of proc(5) that a scan needs. Text is latin1: one character per byte, so that no byte is lost. */

/** `task_struct.flags` of kernel threads (include/linux/sched.h). */
const PF_KTHREAD = 0x00200000

/** `TASK_COMM_LEN` less its NUL. The kernel shows longer names for its own threads, BPF programs do not. */
const MAX_COMM_BYTES = 15

/**
 * Times in /proc are in units of 1/USER_HZ seconds, and USER_HZ is 100 on every architecture that Node runs on
 * (include/asm-generic/param.h), whatever CONFIG_HZ is.
 */
const NS_PER_TICK = 10_000_000n

/** Fields of /proc/PID/stat. */
export interface ProcStat {
  /** latin1. */
  readonly comm: string
  /** All of its threads have ended; it waits for its parent to ask for its status. */
  readonly ended: boolean
  /** Its first thread has ended, so that links and memory are gone from its directory. */
  readonly leaderEnded: boolean
  readonly ppid: number | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
  readonly ttyMajor: number | undefined
  readonly ttyMinor: number | undefined
  readonly kernelThread: boolean
  /** ns of CLOCK_BOOTTIME, cut to clock ticks. */
  readonly startBootNs: bigint
}

/** Index of a field of proc_pid_stat(5) in the list that follows the name, which begins with field 3. */
const STATE = 0
const PPID = 1
const PGRP = 2
const SESSION = 3
const TTY_NR = 4
const FLAGS = 6
const NUM_THREADS = 17
const STARTTIME = 19

/**
 * Reads `PID (comm) state ppid …`. A name may contain anything, so it ends at the last parenthesis.
 *
 * @returns undefined when the text is cut or is something else
 */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open === -1 || close < open) return undefined
  const fields = text.slice(close + 2).split(' ', STARTTIME + 2)
  const [ppid, pgid, sid, tty, flags, threads, start] = [
    PPID,
    PGRP,
    SESSION,
    TTY_NR,
    FLAGS,
    NUM_THREADS,
    STARTTIME,
  ].map((field) => integer(fields[field]))
  if (
    // A last field with nothing behind it may have lost digits.
    fields.length !== STARTTIME + 2 ||
    ppid === undefined ||
    pgid === undefined ||
    sid === undefined ||
    tty === undefined ||
    flags === undefined ||
    threads === undefined ||
    start === undefined
  ) {
    return undefined
  }
  // The kernel's defaults: the signal struct of the process, which has all of these, was already freed.
  const isGone = pgid === -1
  // Zombie, or dead and about to vanish.
  const leaderEnded = /^[ZXx]$/.test(fields[STATE] ?? '')
  return {
    comm: text.slice(open + 1, Math.min(close, open + 1 + MAX_COMM_BYTES)),
    // The first thread is counted until the process is reaped.
    ended: leaderEnded && threads <= 1,
    leaderEnded,
    ppid: isGone ? undefined : ppid,
    pgid: isGone ? undefined : pgid,
    sid: isGone ? undefined : sid,
    //    31          20 19       8 7           0
    //   | minor 19…8   |  major   | minor 7…0   |     new_encode_dev(), include/linux/kdev_t.h
    ttyMajor: isGone ? undefined : (tty >>> 8) & 0xfff,
    ttyMinor: isGone ? undefined : (tty & 0xff) | ((tty >>> 12) & 0xfff00),
    kernelThread: (flags & PF_KTHREAD) !== 0,
    startBootNs: BigInt(start) * NS_PER_TICK,
  }
}

/** Index of `startstack` as of the fields above. */
const STARTSTACK = 25

/** The address at which the stack begins, with the number of arguments; 0 and undefined when it is not shown. */
export function parseStackStart(text: string): bigint | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = fields[STARTSTACK] ?? ''
  return /^\d{1,20}$/.test(field) && field !== '0' ? BigInt(field) : undefined
}

function integer(text: string | undefined): number | undefined {
  const value = text !== undefined && /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

/** Fields of /proc/PID/status which stat has not. */
export interface ProcStatus {
  readonly uid: number
  readonly euid: number
  readonly suid: number
  readonly gid: number
  readonly egid: number
  readonly sgid: number
  readonly capInheritable: bigint
  readonly capPermitted: bigint
  readonly capEffective: bigint
  readonly capBounding: bigint
  readonly capAmbient: bigint
}

/**
 * Reads the ids and capabilities. The name comes first and has its newlines escaped, so no line can be forged.
 *
 * @returns undefined when one of them is missing
 */
export function parseStatus(text: string): ProcStatus | undefined {
  const uids = idsOf(text, 'Uid')
  const gids = idsOf(text, 'Gid')
  const capInheritable = capabilitiesOf(text, 'CapInh')
  const capPermitted = capabilitiesOf(text, 'CapPrm')
  const capEffective = capabilitiesOf(text, 'CapEff')
  const capBounding = capabilitiesOf(text, 'CapBnd')
  const capAmbient = capabilitiesOf(text, 'CapAmb')
  if (
    uids === undefined ||
    gids === undefined ||
    capInheritable === undefined ||
    capPermitted === undefined ||
    capEffective === undefined ||
    capBounding === undefined ||
    capAmbient === undefined
  ) {
    return undefined
  }
  const [uid, euid, suid] = uids
  const [gid, egid, sgid] = gids
  return {
    uid,
    euid,
    suid,
    gid,
    egid,
    sgid,
    capInheritable,
    capPermitted,
    capEffective,
    capBounding,
    capAmbient,
  }
}

/** The value of a complete line `key:<tab>value`. */
function valueOf(text: string, key: string): string | undefined {
  const mark = `\n${key}:\t`
  const at = text.indexOf(mark)
  const end = at === -1 ? -1 : text.indexOf('\n', at + mark.length)
  return end === -1 ? undefined : text.slice(at + mark.length, end)
}

/** Real, effective, saved; the fourth, the file system's, follows the effective one. */
function idsOf(text: string, key: string): [number, number, number] | undefined {
  const match = /^(\d{1,10})\t(\d{1,10})\t(\d{1,10})\t\d/.exec(valueOf(text, key) ?? '')
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])]
}

function capabilitiesOf(text: string, key: string): bigint | undefined {
  const value = valueOf(text, key) ?? ''
  return /^[0-9a-f]{1,16}$/.test(value) ? BigInt(`0x${value}`) : undefined
}

/** The inode number in the target of a link in /proc/PID/ns: `uts:[4026531838]`. */
export function parseNamespace(link: string): number | undefined {
  const match = /:\[(\d{1,10})\]$/.exec(link)
  return match === null ? undefined : Number(match[1])
}

/** A line of /proc/PID/cgroup. */
export interface CgroupLine {
  readonly hierarchyId: number
  /** latin1, from the root of the reader's cgroup namespace. */
  readonly path: string
}

/**
 * Finds a process's cgroup in one hierarchy: `0::/path` is v2, and `7:cpu,pids:/path` is v1's pids controller.
 * Kernels forbid newlines in names.
 */
export function parseCgroup(text: string, hierarchy: 'unified' | 'pids'): CgroupLine | undefined {
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(\/[^]*)$/.exec(line)
    if (match === null) continue
    const [, id = '', controllers = '', path = ''] = match
    const wanted =
      hierarchy === 'unified' ? id === '0' && controllers === '' : controllers.split(',').includes('pids')
    if (wanted) return { hierarchyId: Number(id), path }
  }
  return undefined
}
