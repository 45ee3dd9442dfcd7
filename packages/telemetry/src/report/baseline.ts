/** What the steps of a command are known to do, in a file that people review: sorted, a line for each thing. */

import { QuarkError } from '../errors.js'
import { stepOf, type Collector, type Node } from './collector.js'
import type { ActivityType } from '../event/activity-spec.js'

/** What one step does. */
export interface BaselineStep {
  readonly executables: readonly string[]
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
}

/** What the steps of a command do, by their names. */
export interface Baseline {
  readonly version: 1
  readonly steps: Readonly<Record<string, BaselineStep>>
}

/** Something that a step did and that is not in a baseline. */
export interface NewBehaviour {
  readonly step: string
  /** The step itself is new. */
  readonly isNewStep: boolean
  readonly what: keyof BaselineStep
  readonly value: string
}

const LISTS = ['executables', 'hosts', 'paths'] as const
const HOSTS: ReadonlySet<ActivityType> = new Set(['contacted', 'lookedUp', 'listened'])
const PATHS: ReadonlySet<ActivityType> = new Set(['read', 'created', 'changed', 'removed'])

/** How places are written, so that they are the same on another machine and at another time. */
export interface Places {
  readonly cwd?: string | undefined
  readonly home?: string | undefined
}

/** The baseline of what was collected. */
export function baselineOf({ nodes, activities }: Collector, places: Places = {}): Baseline {
  const steps = new Map<string, Record<(typeof LISTS)[number], Set<string>>>()
  const of = (node: Node): Record<(typeof LISTS)[number], Set<string>> => {
    const { name } = stepOf(node)
    const known = steps.get(name) ?? { executables: new Set(), hosts: new Set(), paths: new Set() }
    steps.set(name, known)
    return known
  }
  for (const node of nodes)
    if (node.exe !== undefined) of(node).executables.add(generalPath(node.exe, places))
  for (const { what, target, by } of activities) {
    if (HOSTS.has(what)) of(by).hosts.add(what === 'listened' ? `listen ${generalPort(target)}` : target)
    else if (PATHS.has(what) && isOutside(target, places)) of(by).paths.add(generalPath(target, places))
    else if (what === 'ranWritten') of(by).executables.add(`written ${generalPath(target, places)}`)
  }
  const sorted = [...steps].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    version: 1,
    steps: Object.fromEntries(
      sorted.map(([name, { executables, hosts, paths }]) => [
        name,
        { executables: [...executables].sort(), hosts: [...hosts].sort(), paths: [...paths].sort() },
      ]),
    ),
  }
}

function isOutside(path: string, { cwd }: Places): boolean {
  return cwd === undefined || (path !== cwd && !path.startsWith(`${cwd.replace(/\/+$/, '')}/`))
}

/** What mkdtemp(3) and the like put behind a name. */
const RANDOM_IN_TMP = /(?<=^\/(?:var\/)?tmp\/)([^/]*[-._])[A-Za-z0-9]{6,}(?=\/|$)/

/** The path with `.` and `~` for the directories, and `*` for names that are made up anew each time. */
function generalPath(path: string, { cwd, home }: Places): string {
  const short = shortened(shortened(path, cwd, '.'), home, '~').replace(RANDOM_IN_TMP, '$1*')
  return short.split('/').map(generalName).join('/')
}

function shortened(path: string, directory: string | undefined, short: string): string {
  if (directory === undefined || directory === '/') return path
  return path === directory || path.startsWith(`${directory}/`) ? short + path.slice(directory.length) : path
}

/** Numbers of processes, times, random digits and the like are not the same twice. */
function generalName(name: string): string {
  return name
    .replaceAll(/\d{4}-?\d\d-?\d\d[T_-]?[\d_:.-]*Z?/g, '*')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, '*')
    .replaceAll(/(?=[0-9a-f]*\d)[0-9a-f]{8,}/gi, '*')
    .replaceAll(/\d{4,}/g, '*')
    .replaceAll(/([-._])(?=[A-Za-z]*\d|[a-z]*[A-Z])[A-Za-z0-9]{6,}$/g, '$1*')
}

/** A port that the kernel chose is another one each time. */
function generalPort(target: string): string {
  const port = Number(target.slice(target.lastIndexOf(':') + 1))
  return port >= 32_768 ? `${target.slice(0, target.lastIndexOf(':'))}:*` : target
}

/** What is not in a baseline. */
export function newIn(now: Baseline, before: Baseline): NewBehaviour[] {
  return Object.entries(now.steps).flatMap(([step, lists]) => {
    const known = Object.hasOwn(before.steps, step) ? before.steps[step] : undefined
    return LISTS.flatMap((what) =>
      lists[what]
        .filter((value) => known?.[what].includes(value) !== true)
        .map((value) => ({ step, isNewStep: known === undefined, what, value })),
    )
  })
}

/** All that either of two baselines has. */
export function mergedBaseline(one: Baseline, other: Baseline): Baseline {
  const names = [...new Set([...Object.keys(one.steps), ...Object.keys(other.steps)])].sort()
  const both = (name: string, what: (typeof LISTS)[number]): string[] =>
    [...new Set([...(one.steps[name]?.[what] ?? []), ...(other.steps[name]?.[what] ?? [])])].sort()
  return {
    version: 1,
    steps: Object.fromEntries(
      names.map((name) => [
        name,
        { executables: both(name, 'executables'), hosts: both(name, 'hosts'), paths: both(name, 'paths') },
      ]),
    ),
  }
}

/** The text of its file. */
export function baselineText(baseline: Baseline): string {
  return `${JSON.stringify(baseline, undefined, 2)}\n`
}

/**
 * Reads the text of a file.
 *
 * @throws {QuarkError} ERR_QUARK_BASELINE when it is no baseline
 */
export function parseBaseline(text: string, path: string): Baseline {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notBaseline(path, `it is no JSON (${(cause as Error).message})`, cause)
  }
  const { version, steps } = (value ?? {}) as { version?: unknown; steps?: unknown }
  if (version !== 1) throw notBaseline(path, 'it has another version')
  if (typeof steps !== 'object' || steps === null) throw notBaseline(path, 'it has no steps')
  for (const [name, step] of Object.entries(steps)) {
    for (const list of LISTS) {
      const values = (step as Readonly<Record<string, unknown>> | null)?.[list]
      if (!Array.isArray(values) || !values.every((one) => typeof one === 'string')) {
        throw notBaseline(path, `"${list}" of step "${name}" is no list of texts`)
      }
    }
  }
  return value as Baseline
}

function notBaseline(path: string, why: string, cause?: unknown): QuarkError {
  return new QuarkError('ERR_QUARK_BASELINE', `"${path}" is no baseline: ${why}`, { cause })
}
