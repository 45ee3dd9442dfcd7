import type { Probe, ProbeSession } from 'quark-ebpf'
import { Decisions } from './decisions.js'
import { changing, deciding, decisionMaps } from './kernel.js'

/** The fact that programs leave out what rules decided, in `Capabilities`. */
export const RULES_IN_KERNEL = 'rulesInKernel'

/** Which records rules are about. */
export interface RuledRecords {
  /** How many groups there are: records of a group are left out together. */
  readonly groups: number
  /** The group of a type of record that may be left out. */
  groupOf(type: number): number | undefined
  /** Whether a process is another one after such a record. */
  changes(type: number): boolean
}

/** How the programs of a queue leave out what its rules decided. A backend without programs does not use it. */
export class Ruling {
  readonly records: RuledRecords
  readonly #maps
  readonly #nowNs: () => number
  /** Why programs leave nothing out, although they might. */
  problem: string | undefined
  #decisions: Decisions | undefined

  /** @param nowNs ns of CLOCK_BOOTTIME */
  constructor(records: RuledRecords, nowNs: () => number) {
    this.records = records
    this.#maps = decisionMaps(records.groups)
    this.#nowNs = nowNs
  }

  /** What is decided in the kernel; undefined while nothing is. */
  get decisions(): Decisions | undefined {
    return this.#decisions
  }

  /** A probe that takes a process whose record it writes out of the kernel's map; the same if its record changes none. */
  changing(probe: Probe): Probe {
    const { record } = probe
    return record !== undefined && this.records.changes(record.type) ? changing(probe, this.#maps) : probe
  }

  /** A probe that asks the kernel's map before it writes a record; the same if its records are always written. */
  deciding(probe: Probe): Probe {
    const group = probe.record === undefined ? undefined : this.records.groupOf(probe.record.type)
    return group === undefined || probe.hook.kind === 'iterator' ? probe : deciding(probe, group, this.#maps)
  }

  /** The programs of a session are attached. */
  useKernel(session: ProbeSession): void {
    this.#decisions = new Decisions(
      { decided: session.map(this.#maps.decided), leftOut: session.map(this.#maps.leftOut) },
      this.records.groups,
      this.#nowNs,
    )
  }
}
