/** Asks rules about the events of a queue, and remembers which processes have a tag. */

import type { ProcessRecord } from '../process/entry.js'
import type { ProcessTable } from '../process/table.js'
import type { Gone, RuleFieldOf, Subject } from './fields.js'
import type { CertainDrop, EndDrops, RuleSet, RuleVerdict } from './rule-set.js'

/** An event, or an object with those of its members that rules read. */
interface Candidate {
  readonly kind: string
  readonly process?: unknown
  readonly actions?: readonly string[] | undefined
}

/**
 * A process that has a tag, whichever process gets its pid later. Of one that was found in /proc the exact start may be learnt
 * later: until then it is cut to ticks.
 */
interface Tagged {
  readonly startTicks: number
  readonly tag: bigint
}

/** Tags of processes that are forgotten are dropped when there are so many more than after the last time. */
const SWEEP_AFTER = 4096
/** Parents that are looked at, at most. */
const MAX_ANCESTORS = 64

/** Decides which events are delivered, by rules. */
export class RuleEngine {
  readonly #rules: RuleSet
  readonly #gone: Gone | undefined
  readonly #asksAncestors: boolean
  readonly #poisons: boolean
  readonly #tagged = new Map<number, Tagged>()
  #sweepAt = SWEEP_AFTER
  #processes: ProcessTable | undefined
  /** Tags of processes of which all events are dropped for ever, as are those of their descendants. */
  readonly #closed: ReadonlyMap<bigint, number>
  /** Called with each process that gets such a tag. */
  leaving: ((process: ProcessRecord) => void) | undefined
  /** What was decided last. */
  verdict: RuleVerdict = { action: 'pass' }

  /** @param isRedacted events come from a recording in which secrets are replaced */
  constructor(rules: RuleSet, isRedacted = false) {
    this.#rules = rules
    this.#gone = isRedacted ? { isAsked: false } : undefined
    this.#asksAncestors = rules.asksAncestors
    this.#poisons = rules.poisons
    this.#closed = rules.closedTags()
  }

  /** Gives tags to the processes that exist already, parents first. */
  begin(processes: ProcessTable): void {
    this.#processes = processes
    if (!this.#poisons) return
    for (const process of parentsFirst(processes)) {
      this.#inherit(process)
      this.#ask({ kind: 'snapshot', process })
    }
    this.#rules.resetCounters()
  }

  /** Whether an event is delivered. */
  wants(event: Candidate): boolean {
    if (this.#poisons && event.actions?.includes('fork') === true)
      this.#inherit(event.process as ProcessRecord)
    this.verdict = this.#ask(event)
    return this.verdict.action !== 'drop'
  }

  /**
   * For each kind of event how all events of a process are dropped that it may have until something changes it; undefined
   * where some may not be. None is if a tag might be given meanwhile.
   */
  certainDrops(process: ProcessRecord, kinds: readonly string[]): (CertainDrop | undefined)[] {
    const tag = this.#tagOf(process)
    if (!this.#rules.keepsTag(new Asked({ kind: '' }, process, tag, undefined, OPEN_KIND)))
      return kinds.map(() => undefined)
    return kinds.map((kind) =>
      this.#rules.certainDrop(new Asked({ kind }, process, tag, undefined, OPEN_EVENT)),
    )
  }

  /** What of events about connections is dropped by their ends alone; undefined if nothing is. */
  endDrops(): EndDrops | undefined {
    return this.#rules.endDrops()
  }

  /** Counts events that were dropped without a record. */
  noteLeftOut(drop: CertainDrop, count: number): void {
    this.#rules.noteLeftOut(drop, count)
  }

  #ask(event: Candidate): RuleVerdict {
    const process = event.process as ProcessRecord | undefined
    const tag = process === undefined ? 0n : this.#tagOf(process)
    const verdict = this.#rules.match(
      new Asked(
        event,
        process,
        tag,
        this.#asksAncestors ? this.#processes : undefined,
        undefined,
        this.#gone,
      ),
    )
    if (process !== undefined && verdict.tag !== undefined && verdict.tag !== tag)
      this.#tag(process, verdict.tag)
    return verdict
  }

  #tagOf({ pid, startTicks }: ProcessRecord): bigint {
    const tagged = this.#tagged.get(pid)
    return tagged?.startTicks === startTicks ? tagged.tag : 0n
  }

  /** A process has the tag of the one that made it. */
  #inherit(process: ProcessRecord): void {
    const parentPid = process.creator ?? process.ppid
    const parent = parentPid === undefined ? undefined : this.#tagged.get(parentPid)
    if (parent !== undefined) this.#tag(process, parent.tag)
  }

  #tag(process: ProcessRecord, tag: bigint): void {
    const { pid, startTicks } = process
    if (this.#closed.has(tag)) this.leaving?.(process)
    if (tag === 0n) this.#tagged.delete(pid)
    else this.#tagged.set(pid, { startTicks, tag })
    if (this.#tagged.size > this.#sweepAt) this.#sweep()
  }

  #sweep(): void {
    for (const pid of this.#tagged.keys())
      if (this.#processes?.peek(pid) === undefined) this.#tagged.delete(pid)
    this.#sweepAt = this.#tagged.size + SWEEP_AFTER
  }
}

/** A pid says nothing about that: they begin anew when the last one is used. */
function parentsFirst(processes: ProcessTable): ProcessRecord[] {
  const known = new Map([...processes.all()].map((process) => [process.pid, process]))
  const ordered = new Set<ProcessRecord>()
  for (const process of known.values()) {
    const line = new Set<ProcessRecord>()
    let each: ProcessRecord | undefined = process
    while (each !== undefined && !ordered.has(each) && !line.has(each)) {
      line.add(each)
      each = parentIn(known, each)
    }
    for (const one of [...line].toReversed()) ordered.add(one)
  }
  return [...ordered]
}

function parentIn(
  known: ReadonlyMap<number, ProcessRecord>,
  { creator, ppid, startTicks }: ProcessRecord,
): ProcessRecord | undefined {
  const parentPid = creator ?? ppid
  const parent = parentPid === undefined ? undefined : known.get(parentPid)
  // One that began later is another process that got the pid.
  return parent !== undefined && parent.startTicks <= startTicks ? parent : undefined
}

/** Any event of a kind. */
const OPEN_EVENT: ReadonlySet<RuleFieldOf> = new Set(['event', 'ancestors'])
/** Any event. */
const OPEN_KIND: ReadonlySet<RuleFieldOf> = new Set(['kind', 'event', 'ancestors'])

/** Looks ancestors up when a rule asks for them, and once. */
class Asked implements Subject {
  readonly event: Candidate
  readonly process: ProcessRecord | undefined
  readonly tag: bigint
  readonly open?: ReadonlySet<RuleFieldOf>
  readonly gone?: Gone
  readonly #processes: ProcessTable | undefined
  #ancestors: readonly ProcessRecord[] | undefined

  constructor(
    event: Candidate,
    process: ProcessRecord | undefined,
    tag: bigint,
    processes: ProcessTable | undefined,
    open?: ReadonlySet<RuleFieldOf>,
    gone?: Gone,
  ) {
    if (open !== undefined) this.open = open
    if (gone !== undefined) this.gone = gone
    this.event = event
    this.process = process
    this.tag = tag
    this.#processes = processes
  }

  get ancestors(): readonly ProcessRecord[] {
    this.#ancestors ??= this.#find()
    return this.#ancestors
  }

  /** The same process, with another tag. */
  withTag(tag: bigint): Subject {
    const asked = new Asked(this.event, this.process, tag, this.#processes, this.open, this.gone)
    asked.#ancestors = this.#ancestors
    return asked
  }

  #find(): ProcessRecord[] {
    const found: ProcessRecord[] = []
    let child = this.process
    while (found.length < MAX_ANCESTORS && child?.ppid !== undefined) {
      const parent = this.#processes?.peek(child.ppid)
      // A parent that began later is another process that got the pid of the real one.
      if (parent === undefined || parent.startTicks > child.startTicks || parent.pid === child.pid) break
      found.push(parent)
      child = parent
    }
    return found
  }
}
