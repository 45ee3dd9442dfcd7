/** Collects what a command did, and writes the report, the baseline and the trace. */

import { closeSync, existsSync, fchownSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import {
  type Baseline,
  baselineText,
  type Capabilities,
  CommandReport,
  FACT_LABELS,
  mergedBaseline,
  type NewBehaviour,
  newIn,
  parseBaseline,
  type Places,
  type QuarkEvent,
  type QuarkStats,
  reportMarkdown,
  reportText,
  type RunFacts,
  type RunReport,
} from 'quark-telemetry'
import { EXIT_STATUSES } from '../exit-status.js'
import { harmlessJson } from '../harmless-json.js'
import type { ReportSettings } from './report-settings.js'
import type { CommandUser } from './user.js'

/** What a run ends with that did something that is not in its baseline, or of which something may be missing, in place of 0. */
export const EXIT_NEW_BEHAVIOUR = EXIT_STATUSES.newBehaviour.status
export const EXIT_INCOMPLETE = EXIT_STATUSES.incomplete.status

/** What is known of the run. */
export interface ReportedRun {
  readonly command: readonly string[] | undefined
  readonly exitCode?: number
  readonly exitSignal?: number
  /** The watching ended before the command. */
  readonly isCutShort: boolean
  readonly stats: QuarkStats
  readonly capabilities: Capabilities
}

export class Reporter {
  readonly #settings: ReportSettings
  readonly #collected = new CommandReport()
  readonly #before: Baseline | undefined
  readonly #places: Places & { readonly owner?: CommandUser | undefined }

  /**
   * @param user whom the command runs as, if that is not this process's user
   * @throws {QuarkError} when the baseline is none
   */
  constructor(settings: ReportSettings, user?: CommandUser) {
    this.#settings = settings
    const { baseline } = settings
    this.#places = { cwd: process.cwd(), home: user?.environment['HOME'] ?? homedir(), owner: user }
    // Read now: the command may write to it.
    this.#before =
      baseline !== undefined && existsSync(baseline)
        ? parseBaseline(readFileSync(baseline, 'utf8'), baseline)
        : undefined
  }

  readonly add = (event: QuarkEvent): void => this.#collected.add(event)

  /**
   * Writes everything.
   *
   * @param note writes to standard error, or for a recording to standard output
   * @returns the exit code that the run has then; 0 if all is as it should be
   */
  write(run: ReportedRun, note: (text: string) => void): number {
    const { path, trace, requiresComplete } = this.#settings
    const newBehaviour = this.#compare()
    const report = this.#collected.report({ ...factsOf(run, this.#places), newBehaviour })
    const text = this.#textOf(report)
    if (path === undefined) note(text)
    else this.#writeFile(path, text)
    if (trace !== undefined) this.#writeFile(trace, harmlessJson(JSON.stringify(this.#collected.timeline())))
    if (newBehaviour.length > 0 && !this.#settings.updatesBaseline) return EXIT_NEW_BEHAVIOUR
    return requiresComplete && !report.isComplete ? EXIT_INCOMPLETE : 0
  }

  /** What is not in the baseline; writes that if it is to be. */
  #compare(): NewBehaviour[] {
    const { baseline, updatesBaseline } = this.#settings
    if (baseline === undefined) return []
    const now = this.#collected.baseline(this.#places)
    if (this.#before === undefined) {
      this.#writeFile(baseline, baselineText(now))
      return []
    }
    const news = newIn(now, this.#before)
    if (updatesBaseline && news.length > 0)
      this.#writeFile(baseline, baselineText(mergedBaseline(this.#before, now)))
    return news
  }

  #textOf(report: RunReport): string {
    switch (formatOf(this.#settings)) {
      case 'json':
        return `${harmlessJson(JSON.stringify(report))}\n`
      case 'markdown':
        return reportMarkdown(report)
      case 'text':
        return reportText(report)
    }
  }

  /** A file that is new belongs to whom the command runs as: with sudo, that is not this process. */
  #writeFile(path: string, text: string): void {
    const { owner } = this.#places
    let fd
    try {
      fd = openSync(path, 'wx')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      writeFileSync(path, text)
      return
    }
    try {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid)
      writeFileSync(fd, text)
    } finally {
      closeSync(fd)
    }
  }
}

function formatOf({ format, path = '' }: ReportSettings): 'text' | 'markdown' | 'json' {
  return format ?? (path.endsWith('.md') ? 'markdown' : path.endsWith('.json') ? 'json' : 'text')
}

function factsOf(
  { command, exitCode, exitSignal, isCutShort, stats, capabilities }: ReportedRun,
  { cwd }: Places,
): RunFacts {
  const { backend, missing } = capabilities
  const isCounted =
    command !== undefined && backend === 'ebpf' && !missing.some(({ fact }) => fact === 'filtersInKernel')
  const created = stats.produced['fork']
  return {
    ...(command === undefined ? {} : { command }),
    ...(cwd === undefined || command === undefined ? {} : { cwd }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(exitSignal === undefined ? {} : { exitSignal }),
    ...(isCounted && created !== undefined ? { created } : {}),
    limits: missing.map(({ fact, reason }) => `${FACT_LABELS[fact] ?? fact}: ${reason}`),
    missing: [
      ...(isCutShort || (command !== undefined && exitCode === undefined && exitSignal === undefined)
        ? ['the command had not ended when the watching did']
        : []),
      ...(command !== undefined && !isCounted
        ? [`how many processes were created is not known: ${backend} does not count them`]
        : []),
      ...(stats.untracked === 0 ? [] : [`${stats.untracked} processes were too many to follow`]),
    ],
  }
}
