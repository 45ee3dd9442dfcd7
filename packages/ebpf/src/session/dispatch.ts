/**
 * One program for all probes of a session that want some system calls: it sits at the tracepoint, looks at the number
 * of the call, and goes on to the first program that wants it by a tail call. Each of those goes on to the next one.
 * Between them nothing is held: every program takes its level of the scratch and gives it back before.
 *
 * ```
 *                    first            of execfail         of files
 * dispatcher ──▶ ┌──────────┐     ┌──────────────┐     ┌──────────┐
 *                │ 59: ─────┼──▶  │ 59:  ────────┼──▶  │ 59: none │
 *                │ 257: ────┼─────┼──────────────┼──▶  │ 257: none│
 *                └──────────┘     └──────────────┘     └──────────┘
 * ```
 */

import { BpfMap } from '../map/map.js'
import type { Program } from '../program/program.js'

/** Numbers of system calls are below. */
const NUMBERS = 512

/** Programs by the number of a call, for a tail call. */
export function createCallTable(name: string): BpfMap {
  return BpfMap.create({ name, type: 'programArray', maxEntries: NUMBERS })
}

/** A program that wants calls of some numbers, and where it goes on from. */
export interface Station {
  readonly program: Program
  readonly numbers: readonly number[]
  readonly next: BpfMap
}

/** The stations behind one dispatcher, in the order in which they were added. */
export class CallChains {
  readonly #first: BpfMap
  readonly #chains = new Map<number, Station[]>()

  /** `first` is where the dispatcher goes on from. */
  constructor(first: BpfMap) {
    this.#first = first
  }

  /** Whether no station is there. */
  get isEmpty(): boolean {
    return this.#chains.size === 0
  }

  /** @throws {KernelError} when the kernel refuses; then nothing was added */
  add(station: Station): void {
    const done: number[] = []
    try {
      for (const number of station.numbers) {
        const chain = this.#chains.get(number) ?? []
        setProgram(chain.at(-1)?.next ?? this.#first, number, station.program)
        this.#chains.set(number, [...chain, station])
        done.push(number)
      }
    } catch (error) {
      this.#removeFrom(station, done)
      throw error
    }
  }

  /** Those behind it move up. */
  remove(station: Station): void {
    this.#removeFrom(station, station.numbers)
  }

  #removeFrom(station: Station, numbers: readonly number[]): void {
    for (const number of numbers) {
      const chain = this.#chains.get(number) ?? []
      const at = chain.indexOf(station)
      if (at === -1) continue
      const table = chain[at - 1]?.next ?? this.#first
      const behind = chain[at + 1]
      if (behind === undefined) table.delete(number)
      else setProgram(table, number, behind.program)
      const rest = chain.filter((one) => one !== station)
      if (rest.length === 0) this.#chains.delete(number)
      else this.#chains.set(number, rest)
    }
  }
}

function setProgram(table: BpfMap, number: number, { fd }: Program): void {
  table.set(number, new Uint8Array(Uint32Array.of(fd.number).buffer))
}
