import type { Probe, ProbeSession } from 'quark-ebpf'
import { Decisions } from './decisions.js'
import { EndAnswers } from './end-answers.js'
import { decidingEnds, endMaps, MAX_PREFIXES } from './ends.js'
import { changing, deciding, decisionMaps } from './kernel.js'

/** The fact that programs leave out what rules decided, in `Capabilities`. */
export const RULES_IN_KERNEL = 'rulesInKernel'

/** Which records rules are about. */
export interface RuledRecords {
  /** How many groups there are: records of a group are left out together. */
  readonly groups: number
  /** The group of a type of record that may be left out. */
  groupOf(type: number): number | undefined
  /** The number of the kind of event that a type of record with both ends of a connection becomes. */
  endsOf(type: number): number | undefined
  /** Whether a process is another one after such a record. */
  changes(type: number): boolean
}

/** How the programs of a queue leave out what its rules decided. A backend without programs does not use it. */
export class Ruling {
  readonly records: RuledRecords
  readonly #maps
  readonly #endMaps = endMaps()
  /** Whether programs ask about the ends of connections. */
  readonly asksEnds: boolean
  readonly #nowNs: () => number
  /** Why programs leave nothing out, although they might. */
  problem: string | undefined
  #decisions: Decisions | undefined
  #ends: EndAnswers | undefined

  /**
   * @param nowNs ns of CLOCK_BOOTTIME
   * @param asksEnds whether rules leave out connections by their ends
   */
  constructor(records: RuledRecords, nowNs: () => number, asksEnds = false) {
    this.asksEnds = asksEnds
    this.records = records
    this.#maps = decisionMaps(records.groups)
    this.#nowNs = nowNs
  }

  /** What is decided in the kernel; undefined while nothing is. */
  get decisions(): Decisions | undefined {
    return this.#decisions
  }

  /** What of it is about the ends of connections. */
  get ends(): EndAnswers | undefined {
    return this.#ends
  }

  /** A probe that takes a process whose record it writes out of the kernel's map; the same if its record changes none. */
  changing(probe: Probe): Probe {
    const { record } = probe
    return record !== undefined && this.records.changes(record.type) ? changing(probe, this.#maps) : probe
  }

  /** A probe that asks the kernel's map before it writes a record; the same if its records are always written. */
  deciding(probe: Probe): Probe {
    if (probe.record === undefined || probe.hook.kind === 'iterator') return probe
    const { type } = probe.record
    const kind = this.records.endsOf(type)
    if (kind !== undefined && this.asksEnds) return decidingEnds(probe, kind, this.#endMaps, this.#maps)
    const group = this.records.groupOf(type)
    return group === undefined ? probe : deciding(probe, group, this.#maps)
  }

  /** Whether what a deciding probe asks about is the ends of a connection. */
  isByEnds({ record }: Probe): boolean {
    return record !== undefined && this.records.endsOf(record.type) !== undefined
  }

  /**
   * The programs of a session are attached.
   *
   * @param asksEnds whether one of them asks about the ends of connections
   */
  useKernel(session: ProbeSession, asksEnds: boolean): void {
    if (asksEnds) {
      const { answers, meanings } = this.#endMaps
      this.#ends = new EndAnswers(
        { answers: session.map(answers), meanings: session.map(meanings) },
        MAX_PREFIXES,
      )
    }
    this.#decisions = new Decisions(
      { decided: session.map(this.#maps.decided), leftOut: session.map(this.#maps.leftOut) },
      this.records.groups,
      this.#nowNs,
    )
  }
}
