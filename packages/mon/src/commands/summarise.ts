import { monotonicMs } from '../clock.js'
import { type Batches, batchesOf } from '../batches.js'
import {
  type Quark,
  type QuarkEvent,
  Summary,
  summaryEcs,
  type SummaryReport,
  summaryText,
} from 'quark-telemetry'
import type { Io } from '../io.js'
import { ecsContext, type Lookup } from '../format.js'
import type { Settings } from '../settings.js'
import type { Reporter } from '../run/reporter.js'
import type { Tally } from '../run/tally.js'
import { Turns } from './turns.js'
import { watch } from './watch.js'
import { harmlessJson } from '../harmless-json.js'

/** Collects a summary while a run goes on, and writes it when it is asked for: at the end, at intervals, at a signal. */
export class Summariser {
  readonly #summary = new Summary()
  readonly #source: Pick<Lookup, 'userName' | 'groupName' | 'host'>
  readonly #settings: Settings
  readonly #io: Io
  readonly #beginMs = monotonicMs()
  readonly #timer: NodeJS.Timeout | undefined
  /** Asked for again before it is written, it is written once. */
  readonly #onAsk = (): void => {
    if (this.#isAsked) return
    this.#isAsked = true
    void this.write().finally(() => (this.#isAsked = false))
  }
  #isAsked = false

  constructor(source: Pick<Lookup, 'userName' | 'groupName' | 'host'>, settings: Settings, io: Io) {
    this.#source = source
    this.#settings = settings
    this.#io = io
    const everyMs = settings.summary?.everyMs
    this.#timer = everyMs === undefined ? undefined : setInterval(this.#onAsk, everyMs).unref()
    process.on('SIGUSR1', this.#onAsk)
  }

  /** Takes in an event. */
  readonly add = (event: QuarkEvent): void => this.#summary.add(event)

  /** Writes what is known so far. */
  async write(): Promise<void> {
    const text = this.#text()
    // With -o the events are there, and this is a note of the run.
    if (this.#settings.output === undefined) await this.#io.write(text)
    else this.#io.note(text)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    process.off('SIGUSR1', this.#onAsk)
  }

  #text(): string {
    const { format, replay, lines, ecs } = this.#settings
    const report = this.#summary.report({
      userName: (uid) => this.#source.userName(uid),
      // The time of a recording is that between its events.
      ...(replay === undefined ? { seconds: (monotonicMs() - this.#beginMs) / 1000 } : {}),
    })
    if (format === 'json') return `${jsonText(report)}\n`
    if (format === 'ecs') {
      const nowNs = BigInt(Date.now()) * 1_000_000n
      return `${summaryEcs(report, nowNs, ecsContext(this.#source), { ...lines, ...ecs })}\n`
    }
    const { colour, terminal } = this.#io
    const columns = terminal?.columns()
    return summaryText(report, { colour, ...(columns === undefined ? {} : { columns }) })
  }
}

function jsonText(report: SummaryReport): string {
  return harmlessJson(JSON.stringify({ time: new Date().toISOString(), ...report }))
}

/**
 * Shows events until the run ends, or in place of that a summary of them, or both.
 *
 * @param tally counts the processes of the sentence at the end
 * @param reporter collects what a report is to have, in place of both
 */
export async function watchAndSummarise(
  quark: Quark,
  settings: Settings,
  io: Io,
  tally: Tally,
  reporter?: Reporter,
): Promise<void> {
  if (reporter !== undefined) {
    const take = (event: QuarkEvent): void => {
      tally.add(event)
      reporter.add(event)
    }
    if (settings.output === undefined) await takeAll(quark, settings, io, take)
    else await watch(quark, settings, io, take)
    return
  }
  if (settings.summary === undefined) {
    await watch(quark, settings, io, tally.add)
    return
  }
  using summariser = new Summariser(quark, settings, io)
  const take = (event: QuarkEvent): void => {
    tally.add(event)
    summariser.add(event)
  }
  if (settings.output === undefined) await takeAll(quark, settings, io, take)
  else await watch(quark, settings, io, take)
  await summariser.write()
}

/** Takes events until the run ends, and writes none of them. */
async function takeAll(
  quark: Batches,
  settings: Settings,
  io: Io,
  take: (event: QuarkEvent) => void,
): Promise<void> {
  let left = settings.count ?? Infinity
  using turns = new Turns(io.hurry)
  turns.limit(() => void quark.close?.())
  for await (const batch of batchesOf(quark, io)) {
    io.count?.(batch)
    for (const event of batch) {
      if (left === 0) return
      take(event)
      left -= 1
    }
    if (left === 0 || turns.isTimeUp()) return
  }
}
