import { catalogue, type QuarkEvent } from './kinds/index.js'
import { type Baseline, baselineOf, type Places } from './report/baseline.js'
import { Collector } from './report/collector.js'
import { reportOf, type RunFacts, type RunReport } from './report/report.js'
import { type Timeline, timelineOf } from './report/timeline.js'

/**
 * Collects what the processes of one command did, in bounded memory, and makes a report of it. Connections, names and files
 * are in it if the queue has the options `sockets`, `dns` and `files`; steps of packages with `maxEnvBytes`.
 *
 * @example
 * ```ts
 * const report = new CommandReport()
 * for await (const event of quark) report.add(event)
 * console.log(reportText(report.report()))
 * ```
 */
export class CommandReport {
  readonly #collector = new Collector(catalogue.events)

  /** Takes in an event of the command. */
  readonly add = (event: QuarkEvent): void => this.#collector.add(event)

  /** What is known so far. */
  report(facts: RunFacts = {}): RunReport {
    return reportOf(this.#collector, facts)
  }

  /** The same as a trace of Chrome's format. */
  timeline(): Timeline {
    return timelineOf(this.#collector)
  }

  /** What the steps of the command do, for comparison with another run. */
  baseline(places: Places = {}): Baseline {
    return baselineOf(this.#collector, places)
  }
}
