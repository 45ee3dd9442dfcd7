/** One command, watched from its begin to its end. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { CommandReport } from './command-report.js'
import { QuarkError } from './errors.js'
import type { QuarkEvent, QuarkOptions } from './kinds/index.js'
import { Quark } from './quark.js'
import type { Baseline } from './report/baseline.js'
import type { RunReport } from './report/report.js'
import type { Timeline } from './report/timeline.js'

/** Waits until it is let go on, and becomes the command then, which keeps the pid. */
const HELD = 'kill -STOP $$; exec "$0" "$@"'
const LOOK_MS = 5
/** Where the kernel does not count: so long after the end of the command, events may still come. */
const SETTLE_MS = 300
const ENVIRONMENT_BYTES = 64 << 10

/** The options of `trace`. */
export interface TraceOptions {
  /** Working directory of the command. Default: the present one. */
  readonly cwd?: string
  /** Environment of the command. Default: the present one. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where its input and output go, as of `spawn` of node:child_process. Default: standard output and error of this process. */
  readonly stdio?: 'inherit' | 'ignore'
  /** Ends the command by SIGTERM. */
  readonly signal?: AbortSignal
  /** Options of the queue; connections, names of the DNS and files are watched unless they are switched off here. */
  readonly quark?: Omit<QuarkOptions, 'where' | 'signal' | 'bypass'>
  /** Gets each event of the command. */
  readonly onEvent?: (event: QuarkEvent) => void
}

/** What a command did. */
export interface TraceResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined
  /** Name of the signal that ended it. */
  readonly signal: string | undefined
  readonly report: RunReport
  readonly timeline: Timeline
  readonly baseline: Baseline
}

/**
 * Runs a command and watches it and all of its descendants until it ends. It begins when all programs are attached, so that
 * nothing is missed. It runs as the user of this process, who must be allowed to watch.
 *
 * @example
 * ```ts
 * const { report } = await trace(['npm', 'ci'])
 * console.log(report.activities.contacted)
 * ```
 *
 * @throws as `Quark.open`; {QuarkError} ERR_QUARK_SYSTEM when the command cannot be run
 */
export async function trace(argv: readonly string[], options: TraceOptions = {}): Promise<TraceResult> {
  if (argv.length === 0)
    throw new QuarkError('ERR_QUARK_OPTION', 'Cannot trace a command without a name: give one')
  const { cwd = process.cwd(), env = process.env, stdio = 'inherit', signal, quark: queue, onEvent } = options
  // Loaded when it is needed: that takes some ms of a start.
  const { spawn } = process.getBuiltinModule('node:child_process')
  const child = spawn('/bin/sh', ['-c', HELD, ...argv], {
    cwd,
    env,
    stdio,
    ...(signal === undefined ? {} : { signal }),
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  // Awaited below; it may fail before that.
  ended.catch(() => undefined)
  const ending = new AbortController()
  const report = new CommandReport()
  try {
    await stopped(child.pid)
    await using quark = await Quark.open({
      sockets: true,
      dns: true,
      files: true,
      fileAccess: true,
      execChanges: true,
      usage: true,
      maxEnvBytes: ENVIRONMENT_BYTES,
      snapshot: true,
      ...queue,
      where: { treeOf: child.pid as number },
      signal: ending.signal,
    })
    process.kill(child.pid as number, 'SIGCONT')
    void ended.then(
      () => setTimeout(() => ending.abort(), SETTLE_MS),
      () => ending.abort(),
    )
    for await (const event of quark) {
      report.add(event)
      onEvent?.(event)
    }
    const [exitCode, name] = await ended
    return {
      exitCode: exitCode ?? undefined,
      signal: name ?? undefined,
      report: report.report({
        command: argv,
        cwd,
        ...(exitCode === null ? {} : { exitCode }),
        ...countedBy(quark),
        limits: quark.capabilities.missing.map(({ fact, reason }) => `${fact}: ${reason}`),
      }),
      timeline: report.timeline(),
      baseline: report.baseline({ cwd, home: homedir() }),
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** The command itself was made before: what it made is counted. */
function countedBy(quark: Quark): { created?: number; missing?: string[] } {
  const { produced, untracked } = quark.stats()
  const { backend, missing } = quark.capabilities
  if (backend !== 'ebpf' || missing.some(({ fact }) => fact === 'filtersInKernel')) {
    return { missing: [`how many processes were created is not known: ${backend} does not count them`] }
  }
  return {
    created: produced['fork'] ?? 0,
    ...(untracked === 0 ? {} : { missing: [`${untracked} processes were too many to follow`] }),
  }
}

/** Waits until a process has stopped itself. @throws {QuarkError} when it has ended */
async function stopped(pid: number | undefined): Promise<void> {
  for (;;) {
    let state: string | undefined
    try {
      state = /\) (\w)/.exec(readFileSync(`/proc/${pid ?? 0}/stat`, 'latin1'))?.[1]
    } catch (cause) {
      throw new QuarkError('ERR_QUARK_SYSTEM', 'Cannot run the command: its process has ended', { cause })
    }
    if (state === 'T') return
    if (state === 'Z' || state === undefined) {
      throw new QuarkError('ERR_QUARK_SYSTEM', 'Cannot run the command: its process has ended')
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
