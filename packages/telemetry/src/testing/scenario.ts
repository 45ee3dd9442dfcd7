import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast } from 'quark-ebpf'
import type { QuarkEvent } from '../kinds/index.js'
import type { QuarkOptions } from '../kinds/index.js'
import type { QuarkStats } from '../pipeline/stats.js'
import {
  callingProgram,
  dyingProgram,
  exitingProgram,
  renamingProgram,
  sleepingProgram,
  spawningProgram,
} from './elf.js'
import { findGaps } from './gaps.js'
import {
  byProcess,
  complaints,
  descendants,
  lifeComplaints,
  type Limits,
  parseTruths,
  type SeenProcess,
} from './truth.js'

/** As much of `Quark` as a scenario needs. */
export interface EventSource {
  batches(): AsyncIterable<readonly QuarkEvent[]>
  poll(): readonly QuarkEvent[]
  wait(timeoutMs?: number): Promise<void>
  stats(): QuarkStats
  close(): Promise<void>
}

/** Opens the backend that is to be tested, with these options and its own. */
export type OpenQuark = (options: QuarkOptions) => Promise<EventSource>

const MAX_ARGV_BYTES = 256 * 1024
const SIGTERM = 15
const SIGSEGV = 11

/** Makes a directory that everyone may enter, for programs that give up root. The caller removes it. */
export function makeDirectory(name: string): string {
  const directory = realpathSync(mkdtempSync(join('/tmp', `quark-${name}-`)))
  chmodSync(directory, 0o755)
  return directory
}

/** Writes a program, and returns its path. */
export function writeProgram(directory: string, name: string, contents: string | Uint8Array): string {
  const path = join(directory, name)
  writeFileSync(path, contents, { mode: 0o755 })
  return path
}

function writePrograms(directory: string): void {
  const write = (name: string, contents: Uint8Array): string => writeProgram(directory, name, contents)
  const end = write('exit-0', exitingProgram(0))
  write('exit-3', exitingProgram(3))
  write('exit-255', exitingProgram(255))
  copyFileSync(end, join(directory, 'a-name-of-more-than-15'))
  write('term', dyingProgram(SIGTERM))
  write('sleeper', sleepingProgram())
  write('rename', renamingProgram('quark-renamed'))
  write('ids', callingProgram([['setsid'], ['setresgid', 5, 6, 7], ['setresuid', 1, 2, 3]]))
  write('spawn-segv', spawningProgram({ count: 1 }, [write('segv', dyingProgram(SIGSEGV)), 'dies']))
  const chain1 = write('chain-1', spawningProgram({ count: 1 }, [end, 'end of chain']))
  const chain2 = write('chain-2', spawningProgram({ count: 1 }, [chain1]))
  write('chain-3', spawningProgram({ count: 1 }, [chain2]))
}

/** Collects events until a process has ended, and returns all. */
export async function collectUntilExit(source: EventSource, pid: number): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  for await (const batch of source.batches()) {
    events.push(...batch)
    if (
      batch.some(
        (event) => event.kind === 'process' && event.process.pid === pid && event.actions.includes('exit'),
      )
    ) {
      break
    }
  }
  return events
}

/**
 * As `collectUntilExit`, with all that happened before the end. Where the reader is late, a whole life is one event, which
 * stands where it began: what came in between is behind it. So the end of another process, which begins now, is waited for.
 */
export async function collectLife(source: EventSource, pid: number): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  let last: number | undefined
  for await (const batch of source.batches()) {
    for (const event of batch) {
      if (last !== undefined && event.process?.pid === last) return events
      events.push(event)
    }
    if (last !== undefined) continue
    const hasEnded = batch.some(
      (event) => event.kind === 'process' && event.process.pid === pid && event.actions.includes('exit'),
    )
    if (!hasEnded) continue
    const child = spawn('/bin/true', { stdio: 'ignore' })
    await once(child, 'spawn')
    last = child.pid
  }
  return events
}

interface Run {
  readonly pid: number
  readonly events: readonly QuarkEvent[]
  readonly truth: string
  /** The script's output, line by line: which steps it left out. */
  readonly said: string
}

async function runScript(source: EventSource, directory: string): Promise<Run> {
  const scripts = fileURLToPath(new URL('../../../../scripts/scenario', import.meta.url))
  const [bin, work, truth] = ['bin', 'work', 'truth'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  mkdirSync(bin)
  mkdirSync(work)
  writePrograms(bin)
  writeFileSync(truth, '')
  const child = spawn('/bin/sh', [join(scripts, 'scenario.sh')], {
    cwd: work,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      SCENARIO_TRUTH: truth,
      SCENARIO_DIR: work,
      SCENARIO_BIN: bin,
      SCENARIO_SLEEPER: join(bin, 'sleeper'),
      SCENARIO_NODE: process.execPath,
      SCENARIO_STEP: fileURLToPath(new URL('step.js', import.meta.url)),
      SCENARIO_SCRIPTS: scripts,
    },
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const closed = once(child, 'close')
  const events = await collectUntilExit(source, child.pid!)
  const [code] = (await closed) as [number | null]
  assert.equal(code, 0, `the script failed; it said: ${said}`)
  return { pid: child.pid!, events, truth: readFileSync(truth, 'utf8'), said }
}

/** Steps that the script left out without reporting it. */
function missingSteps(truth: string, said: string): string[] {
  const always = [
    'success',
    'sigkill',
    'not-found',
    'vfork-chain-3',
    'ids',
    'memfd',
    'exec-thread',
    'huge-args',
    'env',
  ]
  const unlessLeftOut = {
    'pipe-last': 'pipe',
    daemon: 'daemon',
    chroot: 'chroot',
    'bind-mount': 'bind',
    'reuse-second': 'again',
  }
  return [
    ...always.filter((step) => !truth.includes(`"${step}"`) || said.includes(`Left out: ${step}:`)),
    ...Object.entries(unlessLeftOut)
      .filter(([step, word]) => !truth.includes(`"${step}"`) && !said.includes(word))
      .map(([step]) => step),
  ]
}

/** The result of a scenario that passed. */
export interface ScenarioReport {
  /** The script's output about steps that it left out, line by line. */
  readonly said: string
  /** Complaints that were accepted. */
  readonly accepted: readonly string[]
  /** Records that the kernel skipped, as reported in the stream. 0 before Linux 6.19. */
  readonly lostRecursion: number
}

/**
 * Runs processes of many sorts (scripts/scenario) and compares every event with the reports of the processes
 * themselves.
 *
 * @param accepts which complaints are no failure: what a backend cannot know
 * @param limits what else is special about the backend
 * @throws {assert.AssertionError} when an event is missing, double or untrue
 */
export async function runScenario(
  openQuark: OpenQuark,
  accepts: (complaint: string) => boolean = () => false,
  limits: Omit<Limits, 'maxArgvBytes'> = {},
): Promise<ScenarioReport> {
  const directory = makeDirectory('scenario')
  const source = await openQuark({ holdMs: 200, maxArgvBytes: MAX_ARGV_BYTES, maxEnvBytes: 64 * 1024 })
  try {
    const { pid, events, truth, said } = await runScript(source, directory)
    const seen = seenIn(events, pid)
    const truths = parseTruths(truth)
    const family = descendants(seen, pid).filter((one) => ended(one))
    const lostRecursion = await declaredSkips(source, events)
    assert.deepEqual(missingSteps(truth, said), [], 'steps are missing')
    const gaps = findGaps(truths, seen, family)
    const known = new Set(truths.map((one) => one.pid))
    const all = [
      ...complaints(truths, seen, { maxArgvBytes: MAX_ARGV_BYTES, ...limits }),
      ...family.filter((one) => !known.has(one.pid)).flatMap(lifeComplaints),
    ]
    const [accepted, failures] = divide(
      all,
      (one) => accepts(one) || (lostRecursion > 0 && gaps.explain(one)),
    )
    assert.deepEqual(failures, [])
    if (lostRecursion > 0) {
      assert.ok(
        gaps.count <= lostRecursion,
        `${gaps.count} records are missing, ${lostRecursion} were reported lost`,
      )
    }
    const isCutKnown = !accepted.some((one) => one.startsWith('huge-args '))
    if (isCutKnown) assert.ok(source.stats().truncatedArgv >= 1, 'the argv of 2 MB was not counted as cut')
    return { said, accepted, lostRecursion }
  } finally {
    await source.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * How many records the kernel skipped, as reported in the stream: the only loss that a scenario may have, and only
 * where the kernel preempts tracing programs (docs/kernels.md).
 */
async function declaredSkips(source: EventSource, events: readonly QuarkEvent[]): Promise<number> {
  const counted = source.stats().lostRecursion
  const reported = [...events]
  while (skipsIn(reported) < counted) {
    await source.wait(100)
    reported.push(...source.poll())
  }
  const { lost, lostRecursion } = source.stats()
  const isPossible = kernelAtLeast('6.19')
  assert.ok(
    lost === lostRecursion && (lost === 0 || isPossible),
    `records were lost: ${JSON.stringify(source.stats())}`,
  )
  return counted
}

function skipsIn(events: readonly QuarkEvent[]): number {
  return events.reduce(
    (sum, event) => sum + (event.kind === 'lost' && event.cause === 'recursion' ? event.count : 0),
    0,
  )
}

function divide<T>(values: readonly T[], isFirst: (value: T) => boolean): [T[], T[]] {
  return [values.filter((value) => isFirst(value)), values.filter((value) => !isFirst(value))]
}

/** A step's process which others end and wait for may end after the script. */
function ended(seen: SeenProcess): boolean {
  return seen.events.some(({ actions }) => actions.includes('exit'))
}

/** Processes that began while the script ran: an older one may have had the same pid. */
function seenIn(events: readonly QuarkEvent[], pid: number): SeenProcess[] {
  const seen = byProcess(events)
  const start = seen.find((one) => one.pid === pid)?.startTimeNs ?? 0n
  return seen.filter(({ startTimeNs }) => startTimeNs !== undefined && startTimeNs >= start)
}
