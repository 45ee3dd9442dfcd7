/** What the steps of a command are known to do, in a file that people review: sorted, a line for each thing. */

import { QuarkError } from '../errors.js'
import { type Collector, stepOf } from './collector.js'
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
export function baselineOf({ executables, activities }: Collector, places: Places = {}): Baseline {
  const steps: Steps = new Map()
  const of = (name: string): Record<(typeof LISTS)[number], Set<string>> => stepIn(steps, name)
  for (const { path, step } of executables) of(step).executables.add(generalPath(path, places))
  for (const { what, target, by: node } of activities) {
    const by = stepOf(node).name
    if (HOSTS.has(what)) of(by).hosts.add(what === 'listened' ? `listen ${generalPort(target)}` : target)
    else if (PATHS.has(what) && isOutside(target, places)) of(by).paths.add(generalPath(target, places))
    else if (what === 'ranWritten') of(by).executables.add(`written ${generalPath(target, places)}`)
  }
  return sortedBaseline(steps)
}

type Steps = Map<string, Record<(typeof LISTS)[number], Set<string>>>

function stepIn(steps: Steps, name: string): Record<(typeof LISTS)[number], Set<string>> {
  const known = steps.get(name) ?? { executables: new Set(), hosts: new Set(), paths: new Set() }
  steps.set(name, known)
  return known
}

function sortedBaseline(steps: Steps): Baseline {
  return {
    version: 1,
    steps: Object.fromEntries(
      [...steps]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { executables, hosts, paths }]) => [
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
  const steps: Steps = new Map()
  for (const baseline of [one, other]) {
    for (const [name, lists] of Object.entries(baseline.steps)) {
      const step = stepIn(steps, name)
      for (const list of LISTS) for (const value of lists[list]) step[list].add(value)
    }
  }
  return sortedBaseline(steps)
}

const HEADING = '# quark-mon baseline 1'
/** The words of the file, as wide as the longest one. */
const WORDS = { executables: 'ran', hosts: 'contacted', paths: 'touched' } as const
const WIDTH = 9
/** What needs no quotes: neither control characters nor marks of reading direction, no space at an end. */
const PLAIN = /^(?!["#[\s])[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Z}]$/u

/**
 * The text of its file: sections of steps, with a line for each thing, sorted. Lines stand for themselves, so that files can
 * be merged line by line.
 */
export function baselineText({ steps }: Baseline): string {
  const parts = Object.entries(steps).map(([name, step]) => {
    const lines = LISTS.flatMap((list) =>
      step[list].map((value) => `${WORDS[list].padEnd(WIDTH)} ${quoted(value)}\n`),
    )
    return `\n[${quoted(name)}]\n${lines.join('')}`
  })
  return `${HEADING}\n${parts.join('')}`
}

function quoted(text: string): string {
  return PLAIN.test(text) ? text : asciiJson(text)
}

/** JSON in nothing but printable ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * Reads the text of a file, whatever the order of its lines and sections.
 *
 * @throws {QuarkError} ERR_QUARK_BASELINE when it is no baseline
 */
export function parseBaseline(text: string, path: string): Baseline {
  const lines = text.split(/\r?\n/)
  if (lines[0]?.trimEnd() !== HEADING) {
    throw notBaseline(path, 1, `it does not begin with "${HEADING}"`)
  }
  const steps: Steps = new Map()
  let step: ReturnType<typeof stepIn> | undefined
  for (const [index, line] of lines.entries()) {
    const number = index + 1
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    if (trimmed.startsWith('[') && trimmed.endsWith(']')) {
      step = stepIn(steps, unquoted(trimmed.slice(1, -1), path, number))
      continue
    }
    const [word = '', value = ''] = /^(\S+)\s+(.*)$/.exec(trimmed)?.slice(1) ?? []
    const list = LISTS.find((one) => WORDS[one] === word)
    if (list === undefined) {
      throw notBaseline(path, number, `a line begins with ${LISTS.map((one) => WORDS[one]).join(', ')} or [`)
    }
    if (step === undefined) throw notBaseline(path, number, 'it is before the first [step]')
    step[list].add(unquoted(value, path, number))
  }
  return sortedBaseline(steps)
}

function unquoted(text: string, path: string, line: number): string {
  if (!text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string') return value
  } catch {
    // Said below.
  }
  throw notBaseline(path, line, 'what begins with a quotation mark is text as in JSON')
}

function notBaseline(path: string, line: number, why: string): QuarkError {
  return new QuarkError('ERR_QUARK_BASELINE', `"${path}" is no baseline, line ${line}: ${why}`)
}
