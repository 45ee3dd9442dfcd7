import { OptionError } from '../errors.js'
import type { EventSpec } from '../event/spec.js'
import { suggestion } from '../options/suggest.js'
import type { Process } from '../process/process.js'
import type { ProcessRecord } from '../process/entry.js'
import type { ProcessTable } from '../process/table.js'
import type { Tracking } from '../process/tracked/tracking.js'
import { compileGlob, type Matcher } from './glob.js'
import { PASSING, valuesOf } from './options.js'
import type { Where } from './predicates.js'
import { roleTests } from './roles.js'
import { uidRange } from './values.js'

/** An event, or an object with those of its members that filters read. */
interface Candidate {
  readonly kind: string
  readonly process?: Process | undefined
  readonly actions?: readonly string[] | undefined
  readonly action?: string | undefined
}

/** Decides for one filter. */
type Test = (event: Candidate) => boolean

/** Decides for one filter by what is known of the process. */
type ProcessTest = (process: Process) => boolean

/** What filters are compiled with. */
export interface FilterContext {
  readonly events: readonly EventSpec[]
  /** The uid of a user; undefined if there is no such user. */
  readonly userId: (name: string) => number | undefined
  /** Names of users, for suggestions. */
  readonly userNames: () => readonly string[]
  readonly tracking: Tracking | undefined
  /** Events come from a recording in which secrets are replaced. */
  readonly isRedacted?: boolean
}

/** The filters of a queue: what passes all of them is delivered. */
export class Filter {
  /** Events that were left out. */
  refused = 0
  /** Events that passed, those not counted that always do. */
  passed = 0
  /** Those of `refused` that might have passed: a secret is gone about which a filter asks. */
  undecided = 0
  #isUndecided = false
  readonly #tracking: Tracking | undefined
  readonly #tests: readonly Test[]
  readonly #lineage = new Lineage()

  /** @throws {OptionError} for users that there are not */
  constructor(where: Where, context: FilterContext) {
    this.#tracking = context.tracking
    // What costs least comes first.
    this.#tests = [
      ...kindTests(where),
      ...roleTests(where, context.events, context.isRedacted === true ? () => this.#noteGone() : undefined),
      ...trackedTests(context),
      ...processTests(where, context),
      ...joinedTests(where, context),
      ...ancestorTests(where, this.#lineage),
    ]
  }

  #noteGone(): void {
    this.#isUndecided = true
  }

  begin({ processes }: { readonly processes: ProcessTable }): void {
    this.#lineage.processes = processes
    this.#tracking?.begin(processes)
  }

  wants(event: Candidate): boolean {
    if (PASSING.has(event.kind)) return true
    for (const test of this.#tests) {
      this.#isUndecided = false
      if (test(event)) continue
      this.refused += 1
      if (this.#isUndecided) this.undecided += 1
      return false
    }
    this.passed += 1
    return true
  }
}

function kindTests({ event, action }: Where): Test[] {
  const tests: Test[] = []
  if (event !== undefined) {
    const kinds = new Set(valuesOf(event))
    tests.push(({ kind }) => kinds.has(kind))
  }
  if (action !== undefined) {
    const wanted = new Set(valuesOf(action))
    tests.push(({ actions, action: one }) => {
      for (const happened of actions ?? []) if (wanted.has(happened)) return true
      return one !== undefined && wanted.has(one)
    })
  }
  return tests
}

/** Trees that are followed or left out. */
function trackedTests({ tracking }: FilterContext): Test[] {
  if (tracking === undefined) return []
  return [
    ({ process }) => {
      const record = process as ProcessRecord | undefined
      return tracking.isFollowed(record) && !tracking.isExcluded(record)
    },
  ]
}

function processTests(where: Where, context: FilterContext): Test[] {
  const { ppid, uid, user, comm, exe, cwd, cgroup, container } = where
  const tests: ProcessTest[] = []
  if (user !== undefined) {
    const uids = new Set(valuesOf(user).map((one) => uidOf(one, context)))
    tests.push((process) => process.uid !== undefined && uids.has(process.uid))
  }
  if (uid !== undefined) {
    const ranges = valuesOf(uid).map((one) => uidRange(one))
    tests.push(({ uid: of }) => {
      if (of === undefined) return false
      for (const [lowest, highest] of ranges) if (of >= lowest && of <= highest) return true
      return false
    })
  }
  if (comm !== undefined) tests.push(textTest(globs(comm, false), (process) => process.comm))
  if (exe !== undefined) tests.push(textTest(globs(exe, true), (process) => process.exe))
  if (cwd !== undefined) tests.push(textTest(globs(cwd, true), (process) => process.cwd))
  if (cgroup !== undefined) {
    const matchers = valuesOf(cgroup).map((path) => isBelow(path))
    tests.push(textTest(matchers, (process) => process.cgroup))
  }
  if (container !== undefined) {
    const ids = valuesOf(container)
    const matchers = ids.map(
      (id): Matcher =>
        (name) =>
          name.startsWith(id),
    )
    tests.push(textTest(matchers, (process) => process.container?.id))
  }
  const known: Test[] = tests.map(
    (test): Test =>
      ({ process }) =>
        process !== undefined && test(process),
  )
  if (ppid === undefined) return known
  const parents = new Set(valuesOf(ppid))
  // An event whose parent is not known passes: it may be that of a child.
  const parentTest: Test = ({ process }) =>
    process?.ppid === undefined ||
    parents.has(process.ppid) ||
    (process.creatorPid !== undefined && parents.has(process.creatorPid))
  return [parentTest, ...known]
}

function globs(patterns: string | readonly string[], isPath: boolean): Matcher[] {
  return valuesOf(patterns).map((pattern) => compileGlob(pattern, isPath))
}

function textTest(matchers: readonly Matcher[], read: (process: Process) => string | undefined): ProcessTest {
  return (process) => {
    const text = read(process)
    if (text === undefined) return false
    for (const matches of matchers) if (matches(text)) return true
    return false
  }
}

/** Whether a path is this one, or below it. */
function isBelow(path: string): Matcher {
  const parent = path.replace(/\/+$/, '')
  return (name) => name === parent || name.startsWith(`${parent}/`)
}

/** @throws {OptionError} when there is no such user */
function uidOf(user: string | number, { userId, userNames }: FilterContext): number {
  if (typeof user === 'number') return user
  const uid = userId(user)
  if (uid !== undefined) return uid
  const advice = suggestion(user, userNames()).replace(
    /^use one of .*/s,
    'give a name of /etc/passwd, or a uid',
  )
  throw new OptionError('where.user', `Option "where.user": there is no user "${user}": ${advice}`, advice)
}

/** Most generations that are looked through. */
const MAX_GENERATIONS = 256

/** Looks through the ancestors of processes, once there are processes. */
class Lineage {
  processes: Pick<ProcessTable, 'peek'> | undefined = undefined

  has(process: Process, matches: (ancestor: Process) => boolean): boolean {
    let child = process
    for (let i = 0; i < MAX_GENERATIONS; i++) {
      const { ppid } = child
      if (ppid === undefined || ppid === 0 || ppid === child.pid) return false
      const parent = this.processes?.peek(ppid)
      // One that began later has got the pid of the parent.
      if (parent === undefined || parent.startTicks > startTicksOf(child)) return false
      if (matches(parent)) return true
      child = parent
    }
    return false
  }
}

function startTicksOf(process: Process): number {
  const { startTicks } = process as ProcessRecord
  return startTicks > 0 ? startTicks : Number.POSITIVE_INFINITY
}

function ancestorTests({ ancestor }: Where, lineage: Lineage): Test[] {
  if (ancestor === undefined) return []
  const byExe = textTest(globs(ancestor, true), ({ exe }) => exe)
  const byName = textTest(
    globs(
      valuesOf(ancestor).filter((pattern) => !pattern.includes('/')),
      false,
    ),
    ({ comm }) => comm,
  )
  const matches = (one: Process): boolean => byExe(one) || byName(one)
  return [({ process }) => process !== undefined && lineage.has(process, matches)]
}

/** What only all records of an event together show. */
function joinedTests({ failed, longerThanMs }: Where, { events }: FilterContext): Test[] {
  const tests: Test[] = []
  const specs = new Map(events.map((spec) => [spec.kind, spec]))
  if (failed === true) tests.push((event) => specs.get(event.kind)?.isFailure?.(event as never) ?? false)
  if (longerThanMs !== undefined) {
    const leastNs = BigInt(Math.round(longerThanMs * 1e6))
    tests.push((event) => {
      const ranNs = specs.get(event.kind)?.runNs?.(event as never)
      return ranNs !== undefined && ranNs > leastNs
    })
  }
  return tests
}
