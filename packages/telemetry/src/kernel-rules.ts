import { EbpfError } from 'quark-ebpf'
import type { Catalogue } from './kinds/catalogue.js'
import type { Tables } from './kinds/kind.js'
import type { ProcessRecord } from './process/entry.js'
import type { RuledRecords, Ruling } from './process/ruled/ruling.js'
import type { ProcessTable } from './process/table.js'
import type { RuleEngine } from './rules/engine.js'
import type { CertainDrop } from './rules/rule-set.js'

/** So many events of a process are dropped before the kernel is to leave them out: for fewer it is not worth its cost. */
const FIRST_DROPS = 8
/** Further on it is tried so many times less often each time: the kernel may write what user space drops for good reason. */
const SELDOM = 8
const MOST_DROPS = 2 ** 30
/** Most processes of which drops are counted. */
const MAX_NOTED = 16_384
/** How often what the kernel left out is counted. */
const COUNT_NS = 250e6

interface Noted {
  /** How many more drops until it is tried. */
  left: number
  next: number
}

/** An event, as far as it matters here. */
interface Dropped {
  readonly kind: string
  readonly process?: unknown
}

/** The records that rules are about, and the kinds of events that they become. */
export interface RuledKinds extends RuledRecords {
  /** Of each group. */
  readonly events: readonly string[][]
  /** Those about connections, by their numbers. */
  readonly ended: readonly string[]
}

/** The records that rules are about, in the groups that programs leave out together: one for each kind that has such. */
export function ruledRecords({ kinds }: Catalogue): RuledKinds {
  const ended: string[] = []
  const ends = new Map<number, number>()
  const groups = new Map<number, number>()
  const changing = new Set<number>()
  const events: string[][] = []
  for (const kind of kinds) {
    const alone = kind.records.filter(({ standsAlone }) => standsAlone === true)
    for (const { layout } of alone) groups.set(layout.type, events.length)
    if (alone.length > 0) events.push((kind.events ?? []).map((event) => event.kind))
    for (const { layout, changesProcess } of kind.records)
      if (changesProcess === true) changing.add(layout.type)
    for (const { layout, ended: event } of kind.records) {
      if (event === undefined) continue
      if (!ended.includes(event)) ended.push(event)
      ends.set(layout.type, ended.indexOf(event))
    }
  }
  return {
    groups: events.length,
    events,
    ended,
    endsOf: (type) => ends.get(type),
    groupOf: (type) => groups.get(type),
    changes: (type) => changing.has(type),
  }
}

/** The kinds of events of which the records change processes. */
export function changingKinds({ kinds }: Catalogue): ReadonlySet<string> {
  const changing = kinds.filter(({ records }) =>
    records.some(({ changesProcess }) => changesProcess === true),
  )
  return new Set(changing.flatMap(({ events = [] }) => events.map(({ kind }) => kind)))
}

/** Has the kernel leave out what rules drop of a process whatever else is in the event, and counts that. */
export class KernelRules {
  readonly #ruling: Ruling
  #engine: RuleEngine
  #isPaused = false
  readonly #changing: ReadonlySet<string>
  /** The kinds of events of each group. */
  readonly #groups: readonly (readonly string[])[]
  readonly #kinds: readonly string[]
  readonly #decided: ReadonlySet<string>
  readonly #noted = new Map<number, Noted>()
  /** Numbers of reasons, by how events are dropped. */
  readonly #reasons = new Map<string, number>()
  readonly #drops = new Map<number, { readonly drop: CertainDrop; readonly engine: RuleEngine }>()
  #processes: ProcessTable | undefined
  #countedNs = 0
  /** Whether the kernel still has to be told what is left out by the ends of connections. */
  #isEndsDue = true
  /** How many records the kernel left out. */
  leftOut = 0

  constructor(
    ruling: Ruling,
    engine: RuleEngine,
    { groups, changing }: { groups: readonly (readonly string[])[]; changing: ReadonlySet<string> },
  ) {
    this.#ruling = ruling
    this.#engine = engine
    this.#changing = changing
    this.#groups = groups
    this.#kinds = groups.flat()
    this.#decided = new Set(this.#kinds)
  }

  begin({ processes }: Pick<Tables, 'processes'>): void {
    this.#processes = processes
  }

  /** Called with every event, before rules are asked: some change their processes. */
  note({ kind, process }: Dropped): void {
    if (!this.#changing.has(kind) || process === undefined) return
    const { pid } = process as ProcessRecord
    this.#noted.delete(pid)
    this.#ruling.decisions?.changed(pid)
  }

  /** Rules dropped an event. */
  noteDropped({ kind, process }: Dropped): void {
    if (process === undefined || this.#isPaused || !this.#decided.has(kind)) return
    const { pid } = process as ProcessRecord
    let noted = this.#noted.get(pid)
    if (noted === undefined) {
      if (this.#noted.size >= MAX_NOTED) this.#noted.clear()
      noted = { left: FIRST_DROPS, next: FIRST_DROPS * SELDOM }
      this.#noted.set(pid, noted)
    }
    noted.left -= 1
    if (noted.left > 0) return
    noted.left = noted.next
    noted.next = Math.min(noted.next * SELDOM, MOST_DROPS)
    this.#propose(process as ProcessRecord)
  }

  #propose({ pid, startLo, startHi }: ProcessRecord): void {
    const { decisions } = this.#ruling
    const now = this.#processes?.peek(pid)
    if (decisions === undefined || now === undefined || now.hasExited) return
    // An event may be of the time before a change, or of a process that had the pid before.
    if (now.startLo !== startLo || now.startHi !== startHi) return
    const drops = this.#engine.certainDrops(now, this.#kinds)
    let at = 0
    const reasons = this.#groups.map((kinds) => {
      const reason = this.#reasonOf(drops.slice(at, at + kinds.length))
      at += kinds.length
      return reason
    })
    if (reasons.some((reason) => reason !== 0)) decisions.propose(pid, reasons)
  }

  /** The number of the reason why records are left out that may become events of some kinds; 0 if they are not. */
  #reasonOf([first, ...others]: readonly (CertainDrop | undefined)[]): number {
    if (first === undefined) return 0
    const key = keyOf(first)
    if (others.some((other) => other === undefined || keyOf(other) !== key)) return 0
    const known = this.#reasons.get(key)
    if (known !== undefined) return known
    const reason = this.#ruling.decisions?.newReason()
    if (reason === undefined) return 0
    this.#reasons.set(key, reason)
    this.#drops.set(reason, { drop: first, engine: this.#engine })
    return reason
  }

  /**
   * The kernel leaves nothing out from now on, until there are other rules.
   *
   * @throws {EbpfError} when its maps cannot be changed any more
   */
  pause(): void {
    this.#isPaused = true
    this.#ruling.ends?.clear()
    this.#ruling.decisions?.clear()
  }

  /** Other rules decide from now on. */
  goOnWith(engine: RuleEngine): void {
    this.#engine = engine
    this.#isPaused = false
    this.#noted.clear()
    this.#reasons.clear()
    this.#isEndsDue = true
  }

  /** What depends on the ends of connections alone is left out from the beginning. */
  #useEnds(): void {
    this.#isEndsDue = false
    const { ends } = this.#ruling
    const found = ends === undefined ? undefined : this.#engine.endDrops()
    if (ends === undefined || found === undefined) return
    const reasons = found.drops.map((ofKind) => ofKind.map((drop) => this.#reasonOf([drop])))
    try {
      ends.use(found.questions, reasons)
    } catch (error) {
      // Without its rights the process may not change maps any more: rules are asked in user space.
      if (!(error instanceof EbpfError)) throw error
    }
  }

  /** @param appliedNs every record that was written before this time of CLOCK_BOOTTIME is applied */
  settle(appliedNs: number): void {
    if (this.#isEndsDue && !this.#isPaused) this.#useEnds()
    this.#ruling.decisions?.settle(appliedNs)
    if (appliedNs < this.#countedNs) return
    this.#countedNs = appliedNs + COUNT_NS
    this.count()
  }

  /** Counts what was left out. */
  count(): void {
    for (const [reason, count] of this.#ruling.decisions?.takeLeftOut() ?? []) {
      this.leftOut += count
      const known = this.#drops.get(reason)
      known?.engine.noteLeftOut(known.drop, count)
    }
  }
}

function keyOf({ rule, poisons }: CertainDrop): string {
  return [rule, ...poisons].join()
}
