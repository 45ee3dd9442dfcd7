/** Sums of what happened, as the kinds of events declare them, in bounded memory. */

import type { BaseEvent } from '../event/event.js'
import type { EventSpec } from '../event/spec.js'
import type { SummaryCount, SummaryList, SummaryRow } from '../event/summary-spec.js'
import { inUnit, type ListState, listState } from './lists.js'

/** Rows of each list of a report, unless others are asked for. */
export const DEFAULT_ROWS = 5
/** Most rows of each list. */
export const MAX_ROWS = 100
const NS_PER_SECOND = 1e9

/** The options of a summary. */
export interface SummaryOptions {
  /** Rows of each list, 1 to 100. Default 5. */
  readonly rows?: number
}

/** What is known beside events when a report is made. */
export interface ReportContext {
  /** How long it was collected; by default the time between the first event and the last one. */
  readonly seconds?: number
  readonly userName?: (uid: number) => string | undefined
}

/** The members of every report. */
export interface SummaryHead {
  readonly kind: 'summary'
  /** How long it was collected. */
  readonly seconds: number
  /** There were more names or users than are kept: small sums are missing, and others may be too large. */
  readonly isCut: boolean
}

/** A report whose members are those that kinds of events declare. */
export type AnyReport = SummaryHead & SummaryRow

interface Count {
  readonly spec: SummaryCount<BaseEvent>
  readonly path: readonly string[]
  /** What appears together. */
  readonly shown: { isShown: boolean }
  value: number
}

/** What an event of a kind counts for. */
interface Plan {
  readonly counts: readonly Count[]
  readonly lists: readonly ListState[]
}

/** Collects what events declare for summaries. */
export class Collector {
  readonly #counts: readonly Count[]
  readonly #lists: readonly ListState[]
  readonly #plans: ReadonlyMap<string, Plan>
  #first: BaseEvent | undefined
  #last: BaseEvent | undefined

  /** @throws {RangeError} for an unusable number of rows */
  constructor(events: readonly EventSpec[], { rows = DEFAULT_ROWS }: SummaryOptions = {}) {
    if (!Number.isInteger(rows) || rows < 1 || rows > MAX_ROWS) {
      throw new RangeError(`Cannot make a summary of ${rows} rows: give a whole number from 1 to ${MAX_ROWS}`)
    }
    const shown = new Map<string, Count['shown']>()
    const states = new Map<object, ListState>()
    const stateOf = (list: SummaryList<BaseEvent>): ListState => {
      const state = states.get(list) ?? listState(list, rows)
      states.set(list, state)
      return state
    }
    const plans = events.map(({ kind, summary }): [string, Plan] => {
      const { counts = [], lists = [] } = summary ?? {}
      return [
        kind,
        {
          counts: counts.map((spec) => countOf(spec, shown)),
          lists: lists.map(stateOf),
        },
      ]
    })
    this.#plans = new Map(plans)
    this.#counts = plans.flatMap(([, { counts }]) => counts)
    this.#lists = [...states.values()]
  }

  /** Takes in an event. One of a kind that is not declared counts for nothing. */
  add(event: BaseEvent): void {
    this.#first ??= event
    this.#last = event
    const plan = this.#plans.get(event.kind)
    if (plan === undefined) return
    for (const count of plan.counts) {
      count.shown.isShown = true
      count.value += count.spec.of(event)
    }
    for (const list of plan.lists) list.add(event)
  }

  /** What is known so far. The collecting goes on. */
  report({ seconds = this.#span(), userName }: ReportContext = {}): AnyReport {
    const report: Record<string, unknown> = { kind: 'summary', seconds }
    for (const { spec, path, shown, value } of this.#counts) {
      if (!shown.isShown) continue
      setAt(report, path, inUnit(spec.unit, value))
      if (spec.perSecond !== undefined) report[spec.perSecond] = seconds > 0 ? value / seconds : 0
    }
    for (const list of this.#lists) {
      if (list.isKnown) report[list.at] = list.rows(userName)
    }
    report['isCut'] = this.#lists.some(({ isCut }) => isCut)
    return report as AnyReport
  }

  /** Seconds between the first event and the last one. */
  #span(): number {
    if (this.#first === undefined || this.#last === undefined) return 0
    return Number(this.#last.timeNs - this.#first.timeNs) / NS_PER_SECOND
  }
}

function countOf(spec: SummaryCount<BaseEvent>, shownOf: Map<string, Count['shown']>): Count {
  const path = spec.at.split('.')
  const root = path[0] as string
  const shown = shownOf.get(root) ?? { isShown: false }
  shownOf.set(root, shown)
  shown.isShown ||= spec.isAlways === true
  return { spec, path, shown, value: 0 }
}

/** Sets a member, or one of an object that is a member. */
function setAt(
  report: Record<string, unknown>,
  [member = '', inner]: readonly string[],
  value: number,
): void {
  if (inner === undefined) report[member] = value
  else report[member] = { ...(report[member] as object | undefined), [inner]: value }
}
