/** Units of systemd, as the paths of cgroups name them: the rules of its own `cg_path_get_unit`. */

/** What started a job by the clock. */
export type Scheduler = 'cron' | 'anacron' | 'at'

/** The units that a cgroup is in. What there is none of is undefined. */
export interface Units {
  /** Service, scope or other unit of the system: `ssh.service`, `session-3.scope`, `user@1000.service`. */
  readonly unit: string | undefined
  /** Unit of a user's own manager, within `unit`: `app-editor.scope`. */
  readonly userUnit: string | undefined
  /** The innermost slice around `unit`: `system.slice`. */
  readonly slice: string | undefined
  /** Number of the session of systemd-logind: `3`, `c1`. */
  readonly loginSession: string | undefined
}

/** Units that have cgroups. */
const UNIT = /^[^/]+\.(?:service|scope|socket|mount|swap)$/
const SLICE = /^[^/]+\.slice$/
const SESSION = /^session-(c?[0-9]+)\.scope$/
const USER_MANAGER = /^user@[0-9]+\.service$/

/** The units in the parts of a path from index `from` on. */
export function findUnits(parts: readonly string[], from: number): Units {
  let at = from
  let slice: string | undefined
  while (at < parts.length && SLICE.test(unescaped(parts[at] as string))) {
    slice = unescaped(parts[at] as string)
    at += 1
  }
  const unit = unitAt(parts, at)
  if (unit === undefined) return { unit, userUnit: undefined, slice, loginSession: undefined }
  const userUnit = USER_MANAGER.test(unit) ? userUnitFrom(parts, at + 1) : undefined
  return { unit, userUnit, slice, loginSession: SESSION.exec(unit)?.[1] }
}

function userUnitFrom(parts: readonly string[], from: number): string | undefined {
  let at = from
  while (at < parts.length && SLICE.test(unescaped(parts[at] as string))) at += 1
  return unitAt(parts, at)
}

function unitAt(parts: readonly string[], at: number): string | undefined {
  const part = parts[at]
  if (part === undefined) return undefined
  const name = unescaped(part)
  return UNIT.test(name) ? name : undefined
}

/** systemd puts an underscore before names that the kernel uses for files of cgroups. */
function unescaped(part: string): string {
  return part.startsWith('_') ? part.slice(1) : part
}

/** Schedulers by the units that they run in. */
const SCHEDULERS: Readonly<Record<string, Scheduler>> = {
  'cron.service': 'cron',
  'crond.service': 'cron',
  'cronie.service': 'cron',
  'fcron.service': 'cron',
  'anacron.service': 'anacron',
  'atd.service': 'at',
}

/** The scheduler whose unit this is. */
export function schedulerOf(unit: string | undefined): Scheduler | undefined {
  return unit === undefined ? undefined : SCHEDULERS[unit]
}

const SCHEDULER_PROGRAM = /\/(?:cron|crond|fcron|anacron|atd)$/

/** Whether a program is a scheduler, and none of its jobs. */
export function isScheduler(exe: string | undefined): boolean {
  return exe !== undefined && SCHEDULER_PROGRAM.test(exe)
}
