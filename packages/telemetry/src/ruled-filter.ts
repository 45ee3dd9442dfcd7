import type { EventFilter, FilteredEvent, Tables } from './kinds/kind.js'
import type { KernelRules } from './kernel-rules.js'
import type { RuleEngine } from './rules/engine.js'
import type { Filter } from './where/filter.js'
import { PASSING } from './where/options.js'

/** Rules, and then filters: rules see every event, so that tags reach all descendants. */
export class RuledFilter implements EventFilter {
  #rules: RuleEngine
  #tables: Tables | undefined
  readonly #filter: Filter
  /** What of them the kernel may do; undefined where it does nothing. */
  readonly kernel: KernelRules | undefined
  #dropped = 0

  constructor(rules: RuleEngine, filter: Filter, kernel?: KernelRules) {
    this.#rules = rules
    this.#filter = filter
    this.kernel = kernel
  }

  get refused(): number {
    return this.#filter.refused + this.#dropped
  }

  get undecided(): number {
    return this.#filter.undecided
  }

  /** Events that passed, those not counted that always do. */
  get passed(): number {
    return this.#filter.passed
  }

  /**
   * The kernel leaves nothing out any more, until other rules decide.
   *
   * @throws {EbpfError} when its maps cannot be changed any more
   */
  endInKernel(): void {
    this.#rules.leaving = undefined
    this.kernel?.pause()
  }

  /** Other rules decide from now on, as if the queue had been opened with them: earlier tags are forgotten. */
  replaceRules(rules: RuleEngine): void {
    this.#rules = rules
    if (this.#tables !== undefined) rules.begin(this.#tables.processes)
    this.kernel?.goOnWith(rules)
  }

  begin(tables: Tables): void {
    this.#tables = tables
    this.#rules.begin(tables.processes)
    this.kernel?.begin(tables)
    this.#filter.begin(tables)
  }

  wants(event: FilteredEvent): boolean {
    if (PASSING.has(event.kind)) return true
    this.kernel?.note(event)
    if (this.#rules.wants(event)) return this.#filter.wants(event)
    this.#dropped += 1
    this.kernel?.noteDropped(event)
    return false
  }
}
