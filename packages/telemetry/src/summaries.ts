/** Summaries of the events of the kinds that `Quark` knows. */

import type { BaseEvent } from './event/event.js'
import type { EventSpec } from './event/spec.js'
import { catalogue, type KindsReport } from './kinds/index.js'
import { checkOptions } from './options/check.js'
import { type EcsOptions, ecsOptions } from './options/lines.js'
import { type EcsContext, ecsWriter } from './output/ecs.js'
import type { Process } from './process/process.js'
import { Collector, type ReportContext, type SummaryHead, type SummaryOptions } from './summary/collector.js'
import { type SummaryTextOptions, tableOf } from './summary/text.js'

/** An event, as far as a summary looks at it: every `QuarkEvent` is one. */
export type SummarisedEvent = BaseEvent & {
  readonly process?: Process | undefined
  readonly actions?: readonly string[]
}

/** What a summary knows. Lists have the largest value first; times are seconds, memory is bytes. */
export interface SummaryReport extends SummaryHead, KindsReport {}

/**
 * Collects what happened in bounded memory, however much it is: counts, and the commands that ran most, took longest, used
 * most and failed most. CPU time and memory need the option `usage` of the queue.
 *
 * @example
 * ```ts
 * const summary = new Summary()
 * for await (const event of quark) summary.add(event)
 * console.log(summaryText(summary.report()))
 * ```
 */
export class Summary {
  readonly #collector: Collector

  /** @throws {RangeError} for an unusable number of rows */
  constructor(options: SummaryOptions = {}) {
    this.#collector = new Collector(catalogue.events, options)
  }

  /** Takes in an event of a queue, of whatever kind. */
  add(event: SummarisedEvent): void {
    this.#collector.add(event)
  }

  /** What is known so far. The collecting goes on. */
  report(context: ReportContext = {}): SummaryReport {
    return this.#collector.report(context) as unknown as SummaryReport
  }
}

/** A summary as a table for people, with a line end behind each line. Names are made safe for a terminal. */
export function summaryText(report: SummaryReport, options: SummaryTextOptions = {}): string {
  return tableOf(catalogue.events, report, options)
}

/** A report as an event, for the writer of ECS. */
interface SummaryEvent extends BaseEvent {
  readonly kind: 'summary'
  readonly seconds: number
  readonly report: object
}

const summarySpec: EventSpec<SummaryEvent> = {
  kind: 'summary',
  doc: 'What happened',
  subject: () => 0,
  fields: {
    seconds: { type: 'number', doc: 'how long it was collected' },
    report: { type: 'values', doc: 'the report', ecs: 'quark.summary' },
  },
  ecs: {
    action: 'summary',
    kind: 'metric',
    category: ['host'],
    type: ['info'],
    dataset: 'quark.summary',
    duration: ({ seconds }) => BigInt(Math.round(seconds * 1e9)),
    describesHost: true,
  },
}

/**
 * A summary as a document of ECS whose `event.kind` is `metric`, without a line end: the members of the report are in
 * `summary` of the field set `quark`, in snake case. All that is known of the host is there.
 *
 * @param timeNs epoch ns at which it was made
 * @throws {OptionError} when an option is wrong
 */
export function summaryEcs(
  report: SummaryReport,
  timeNs: bigint,
  context: EcsContext,
  options: EcsOptions = {},
): string {
  const { form, maxLineBytes } = checkOptions(ecsOptions, options)
  const write = ecsWriter({ events: [summarySpec] }, context, { document: form, maxBytes: maxLineBytes })
  const { kind, ...members } = report
  const event: SummaryEvent = {
    kind,
    timeNs,
    seconds: report.seconds,
    report: inSnakeCase(members) as object,
  }
  return write(event)
}

/** Names of members as ECS writes them: `mostRuns` is `most_runs`. */
function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      inSnakeCase(member),
    ]),
  )
}
