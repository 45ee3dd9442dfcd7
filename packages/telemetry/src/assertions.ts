/** For tests: assertions about what a command did. */

import { AssertionError } from 'node:assert'
import { ACTIVITIES, type ActivityType } from './event/activity-spec.js'
import type { RunReport } from './report/report.js'
import { compilePattern } from './rules/pattern.js'

export {
  FakeMachine,
  type FakeConnection,
  type FakeOptions,
  type FakeProcess,
  type FakeProgram,
} from './fake-machine.js'
export { recordingPath, type RecordingName } from './recordings.js'
export { trace, type TraceOptions, type TraceResult } from './trace.js'

/** What a command may do: patterns in which `*` is any text. What is left out may be anything. */
export interface Allowed {
  /** Paths of programs. */
  readonly executables?: readonly string[]
  /** `host:port` of what is contacted, `host:port/udp` for UDP. */
  readonly contacted?: readonly string[]
  /** Names that are looked up. */
  readonly lookedUp?: readonly string[]
  /** `address:port`. */
  readonly listened?: readonly string[]
  /** Paths of files that are created, changed or removed outside of the working directory. */
  readonly written?: readonly string[]
}

const CHECKED: ReadonlySet<string> = new Set(['executables', ...Object.keys(ACTIVITIES)])
const WRITTEN: readonly ActivityType[] = ['created', 'changed', 'removed']

/**
 * Asserts that a command did nothing but what is allowed, and that nothing is missing in its report.
 *
 * @example
 * ```js
 * const { report } = await trace(['node', 'build.mjs'])
 * assertOnly(report, { executables: [process.execPath], contacted: [], written: [] })
 * ```
 *
 * @throws {AssertionError} that lists all that is not
 */
export function assertOnly(report: RunReport, allowed: Allowed): void {
  assertComplete(report)
  // What is not listed cannot be compared.
  for (const [list, count] of Object.entries(report.leftOut)) {
    if (CHECKED.has(list)) fail(report, `did more than a report lists: ${count} more of ${list}`)
  }
  const targets = (what: ActivityType): string[] =>
    (report.activities[what] ?? []).map(({ target }) => target)
  const problems = [
    ...beyond('ran', executablesOf(report), allowed.executables),
    ...beyond('contacted', targets('contacted'), allowed.contacted),
    ...beyond('looked up', targets('lookedUp'), allowed.lookedUp),
    ...beyond('listened at', targets('listened'), allowed.listened),
    ...beyond('wrote', WRITTEN.flatMap(targets), allowed.written),
  ]
  if (problems.length > 0) fail(report, `did what is not allowed:\n${problems.join('\n')}`)
}

/**
 * Asserts that a command executed a program.
 *
 * @param executable a path in which `*` is any text
 * @throws {AssertionError} that lists what it executed
 */
export function assertRan(report: RunReport, executable: string): void {
  const ran = executablesOf(report)
  if (!ran.some(compilePattern(executable)))
    fail(report, `did not run ${executable}, but:\n${ran.join('\n')}`)
}

/**
 * Asserts that a command contacted a host.
 *
 * @param target `host:port`, in which `*` is any text
 * @throws {AssertionError} that lists what it contacted
 */
export function assertContacted(report: RunReport, target: string): void {
  const contacted = (report.activities.contacted ?? []).map((one) => one.target)
  if (!contacted.some(compilePattern(target))) {
    fail(report, `did not contact ${target}, but:\n${contacted.join('\n')}`)
  }
}

/**
 * Asserts that nothing is missing in a report.
 *
 * @throws {AssertionError} that lists what is
 */
export function assertComplete(report: RunReport): void {
  if (!report.isComplete) fail(report, `is not known completely:\n${report.missing.join('\n')}`)
}

function executablesOf({ executables }: RunReport): string[] {
  return executables.map(({ path }) => path)
}

function beyond(verb: string, targets: readonly string[], patterns: readonly string[] | undefined): string[] {
  if (patterns === undefined) return []
  const tests = patterns.map(compilePattern)
  return [...new Set(targets)]
    .filter((target) => !tests.some((test) => test(target)))
    .map((target) => `${verb} ${target}`)
}

function fail({ command = ['the command'] }: RunReport, what: string): never {
  throw new AssertionError({ message: `${command.join(' ')} ${what}` })
}
