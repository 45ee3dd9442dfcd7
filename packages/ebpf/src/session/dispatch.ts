/**
 * One program for all probes of a session that want some runs of a hook, such as some system calls: it is attached to the
 * tracepoint, reads the number of the call, and tail-calls the first program that wants it. Each of those tail-calls the next one. Every
 * program takes a level of the scratch, and releases it before the tail call.
 *
 * ```
 *                    first            of execfail         of files
 * dispatcher ──▶ ┌──────────┐     ┌──────────────┐     ┌──────────┐
 *                │ 59: ─────┼──▶  │ 59:  ────────┼──▶  │ 59: none │
 *                │ 257: ────┼─────┼──────────────┼──▶  │ 257: none│
 *                └──────────┘     └──────────────┘     └──────────┘
 * ```
 *
 * A dispatcher that can be interrupted by itself, or whose task can be preempted, has a stand-in (probe/stand-in.ts),
 * which goes on through the same maps. No tail call is allowed while preemption is disabled: each program disables it for
 * itself, and what runs on the CPU between two of them goes through the stand-in.
 */

import { constants } from 'node:os'
import { type AssembledCode } from '../asm/index.js'
import { Link } from '../attach/index.js'
import { BpfMap } from '../map/map.js'
import { compileDispatcher, dispatcherStandInOf, wantedNumbers } from '../probe/compile.js'
import { type Assignment, type Hook, type Target } from '../probe/index.js'
import { runFilter } from '../probe/hooks/index.js'
import { standInTypes } from '../probe/stand-in.js'
import type { Program } from '../program/program.js'
import { KernelError } from '../sys/errors.js'
import { kernelAtLeast } from '../sys/platform.js'
import { attachProgram, type ProbeLink, type Where } from './hooks.js'
import type { SessionMaps } from './maps.js'

/** Numbers of system calls, and values of arguments, are below. */
const NUMBERS = 512

/** Programs by the number of a run, for a tail call. */
function createCallTable(name: string): BpfMap {
  return BpfMap.create({ name, type: 'programArray', maxEntries: NUMBERS })
}

/** A program that wants runs of some numbers, and the map through which it tail-calls the next one. */
export interface Station {
  readonly program: Program
  readonly numbers: readonly number[]
  readonly next: BpfMap
}

/** The stations behind one dispatcher, in the order in which they were added. */
export class CallChains {
  readonly #first: BpfMap
  readonly #chains = new Map<number, Station[]>()

  /** `first` is the map through which the dispatcher tail-calls. */
  constructor(first: BpfMap) {
    this.#first = first
  }

  /** Whether there is no station. */
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

  /** Removes a station and links its predecessors to the stations after it. */
  remove(station: Station): void {
    this.#removeFrom(station, station.numbers)
  }

  /**
   * Removes all stations, of which none is called any more. Before Linux 5.19 a process that has given up all rights
   * cannot change maps: then what is in them stays.
   */
  clear(): void {
    for (const [number, chain] of this.#chains) {
      for (const table of [this.#first, ...chain.slice(0, -1).map(({ next }) => next)]) {
        try {
          table.delete(number)
        } catch (error) {
          if (!(error instanceof KernelError && error.errno === constants.errno.EPERM)) throw error
        }
      }
    }
    this.#chains.clear()
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

/**
 * Whether probes of a hook can share a program. Tail calls beside the callbacks of walks need Linux 5.10, on arm64 6.0.
 * Where a tracepoint's program can be preempted, the one that they share needs a stand-in.
 */
export function canShare(hook: Hook, { preemptible, architecture, btf }: Target): boolean {
  if (runFilter(hook) === undefined || (preemptible && standInTypes(btf) === undefined)) return false
  return kernelAtLeast(architecture === 'arm64' ? '6.0' : '5.10')
}

/** The kernel ends a chain of more tail calls (MAX_TAIL_CALL_CNT is 33, in old kernels 32). */
const MAX_STATIONS = 30

interface Dispatcher {
  readonly program: Program
  readonly standIn: Program | undefined
  readonly chains: CallChains
  /** The last to be opened is the first to be closed. */
  links: readonly ProbeLink[]
}

/** What a probe behind a dispatcher needs of it. */
export interface Reservation {
  readonly dispatcher: Dispatcher
  readonly next: BpfMap
  readonly numbers: readonly number[]
}

/** Attaches the program, and behind it its stand-in. */
function attachDispatcher(hook: Hook, dispatcher: Dispatcher, where: Where): void {
  for (const program of [dispatcher.program, dispatcher.standIn]) {
    if (program !== undefined) dispatcher.links = [...dispatcher.links, attachProgram(hook, program, where)]
  }
}

function closeDispatcher(dispatcher: Dispatcher): void {
  for (const link of dispatcher.links.toReversed()) link.close()
  dispatcher.links = []
}

/** The dispatchers of a session: one for each tracepoint and flavour. */
export class SessionCalls {
  readonly #maps: SessionMaps
  readonly #dispatchers = new Map<string, Dispatcher>()
  #tables = 0
  #reservations = 0

  constructor(maps: SessionMaps) {
    this.#maps = maps
  }

  /** Whether another probe would make chains too long. */
  get isFull(): boolean {
    return this.#reservations >= MAX_STATIONS
  }

  /**
   * Prepares for the program of a probe to be called.
   *
   * @param load loads a dispatcher; the session closes it
   * @param takeNote takes one of the notes by which stand-ins go
   * @throws {KernelError | VerifierError} when the kernel refuses
   */
  reserve(
    hook: Hook,
    target: Target,
    load: (code: AssembledCode) => Program,
    takeNote: () => number,
  ): Reservation {
    const numbers = wantedNumbers(hook, target)
    const name = `${hook.kind} ${hook.target} ${hook.among?.argument ?? ''} ${target.flavor}`
    let dispatcher = this.#dispatchers.get(name)
    if (dispatcher === undefined) {
      const first = this.#createTable()
      const hasStandIn = dispatcherStandInOf(hook, target) !== undefined
      const note = hasStandIn ? takeNote() : 0
      const loadAs = (role: Assignment['role']): Program =>
        load(compileDispatcher(hook, target, first.spec.name, { role, note }))
      dispatcher = {
        program: loadAs('first'),
        standIn: hasStandIn ? loadAs('standIn') : undefined,
        chains: new CallChains(first),
        links: [],
      }
      this.#dispatchers.set(name, dispatcher)
    }
    this.#reservations += 1
    return { dispatcher, next: this.#createTable(), numbers }
  }

  #createTable(): BpfMap {
    this.#tables += 1
    return this.#maps.add(createCallTable(`calls_${this.#tables}`))
  }

  /** @throws {KernelError} when the kernel refuses */
  attach(hook: Hook, program: Program, { dispatcher, next, numbers }: Reservation, where: Where): Link {
    const { chains } = dispatcher
    const station = { program, numbers, next }
    const detach = (): void => {
      chains.remove(station)
      if (!chains.isEmpty) return
      closeDispatcher(dispatcher)
    }
    chains.add(station)
    try {
      if (dispatcher.links.length === 0) attachDispatcher(hook, dispatcher, where)
    } catch (error) {
      detach()
      throw error
    }
    return new Link('tracing', hook.target, detach)
  }

  /** Detaches all dispatchers: closing a link needs no rights. */
  detach(): void {
    for (const dispatcher of this.#dispatchers.values()) {
      closeDispatcher(dispatcher)
      dispatcher.chains.clear()
    }
  }

  /** Runs of dispatchers that the kernel skipped. */
  recursionMisses(): number {
    let misses = 0
    for (const { program } of this.#dispatchers.values()) misses += program.info().recursionMisses
    return misses
  }
}
