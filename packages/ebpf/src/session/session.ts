/** A session: probes compiled for this kernel, loaded, attached, and one ring that they all write to. */

import { IteratorLink } from '../attach/index.js'
import { ClosedError } from '../errors.js'
import { BpfMap, possibleCpuCount } from '../map/map.js'
import type { Flavor, Hook, MapParts, MissingField, Probe, TypedMap } from '../probe/index.js'
import { hookType } from '../probe/hooks/index.js'
import { RING_MAP, scratchLayout } from '../probe/scratch.js'
import type { Program, ProgramInfo } from '../program/program.js'
import type { RecordSink } from '../ring/cursor.js'
import { RingReader } from '../ring/ringbuf.js'
import { splitFrames } from './frames.js'
import { KprobeLink } from '../attach/index.js'
import { attachProgram, hookName, type ProbeLink } from './hooks.js'
import { SessionLanes } from './lanes.js'
import { SessionLosses, type TakenLosses } from './losses.js'
import { type LoadedPrograms, SessionLoader } from './loader.js'
import { SessionMaps } from './maps.js'
import { type SessionOptions, sizesOf } from './options.js'
import { SessionMap } from './session-map.js'
import { SessionRings, wakeRingBytes } from './rings.js'
import { SessionShares } from './shares.js'
import { type Sleep, SessionSleep } from './sleep.js'
import type { Fd } from '../sys/fd.js'
import { pageSizeBytes } from '../sys/libc.js'

/** A probe that runs. */
export interface AttachedProbe {
  readonly probe: Probe
  /** For example `tp_btf/sched_process_exec`. */
  readonly hook: string
  readonly flavor: Flavor
  readonly missing: readonly MissingField[]
  info(): ProgramInfo
}

/** A probe that is loaded and not attached yet. The session closes it. */
export interface LoadedProbe {
  readonly probe: Probe
  /** Attaches it. @throws {KernelError} when the kernel refuses */
  attach(): AttachedProbe
}

/** Counters of the kernel side, summed over CPUs, by the record types of all probes that were loaded. */
export interface SessionCounters {
  /** Records that reached the ring. */
  readonly produced: Map<number, number>
  /** Records that found no room in it, or none in the share of their kind. */
  readonly lost: Map<number, number>
}

interface Running extends Pick<LoadedPrograms, 'program' | 'standIn'> {
  readonly attached: AttachedProbe
  /** The last to be opened is the first to be closed. */
  readonly links: readonly ProbeLink[]
}

/**
 * Loads and attaches probes one by one. A probe that this kernel cannot run is an error of `attach`, and the session
 * stays as it was, so that the caller can fall back to another probe.
 */
export class ProbeSession implements Disposable {
  readonly ringSizeBytes: number
  readonly #cgroup: string | undefined
  readonly #maps: SessionMaps
  readonly #loader: SessionLoader
  readonly #lanes: SessionLanes
  readonly #kernelMemoryBytes: number
  /** All records, or, where the CPUs have rings of their own, what wakes the reader. */
  readonly #reader: RingReader
  readonly #cpuRings: SessionRings | undefined
  readonly #sleep: SessionSleep
  readonly #losses: SessionLosses | undefined
  readonly #shares: SessionShares | undefined
  readonly #running: Running[] = []
  #closed = false

  private constructor(options: SessionOptions, resources: Resources) {
    this.ringSizeBytes = options.ringSizeBytes
    this.#cgroup = options.cgroup
    this.#maps = resources.maps
    this.#loader = new SessionLoader(options, resources)
    this.#lanes = resources.lanes
    this.#reader = resources.reader
    this.#cpuRings = resources.cpuRings
    this.#sleep = resources.sleep
    this.#losses = resources.losses
    this.#shares = resources.shares
    const { map } = resources.lanes
    this.#kernelMemoryBytes =
      map.valueSizeBytes + (resources.cpuRings?.map.valueSizeBytes ?? 0) + resources.reader.capacityBytes
  }

  /**
   * Creates the maps.
   *
   * @param records the probes that will be attached, or the size of the largest record that any of them will write
   *   (`probe.maxSizeBytes`). Given the probes, it takes less memory if they declare their contexts.
   * @throws {RangeError} for levels or shares out of range
   * @throws {KernelError} when the kernel refuses; refusals for want of rights carry advice
   */
  static open(options: SessionOptions, records: number | readonly Probe[]): ProbeSession {
    const sizes = sizesOf(options, records)
    const shares = SessionShares.of(options)
    const cpus = possibleCpuCount()
    const opened: Disposable[] = []
    const own = <T extends Disposable>(resource: T): T => {
      opened.push(resource)
      return resource
    }
    try {
      const lanes = own(SessionLanes.open(scratchLayout(sizes, pageSizeBytes()), cpus))
      const cpuRings = SessionRings.open(options, lanes, sizes, shares)
      if (cpuRings !== undefined) own(cpuRings)
      const ringBytes = cpuRings === undefined ? options.ringSizeBytes : wakeRingBytes(lanes.pages.length)
      const ring = own(BpfMap.create({ name: RING_MAP, type: 'ringbuf', maxEntries: ringBytes }))
      const [firstPage] = lanes.pages
      const isShared = cpuRings === undefined && firstPage !== undefined
      const reader = own(
        RingReader.open(ring, isShared ? shares?.ofRing(ringBytes, firstPage.buffer) : undefined),
      )
      const sleep = own(new SessionSleep(reader, lanes.pages, cpuRings?.rings ?? reader))
      const maps = new SessionMaps([ring, lanes.map, ...(cpuRings === undefined ? [] : [cpuRings.map])])
      own({ [Symbol.dispose]: () => maps.close() })
      const losses = options.fairUsers === true ? SessionLosses.open(maps) : undefined
      const session = new ProbeSession(options, { maps, lanes, shares, losses, reader, cpuRings, sleep })
      session.shareAmongUsers(1)
      return session
    } catch (error) {
      for (const resource of opened.toReversed()) resource[Symbol.dispose]()
      throw error
    }
  }

  /** Detaches one probe; the others stay attached. */
  detachProbe({ probe }: AttachedProbe): void {
    const index = this.#running.findIndex(({ attached }) => attached.probe === probe)
    const [running] = index === -1 ? [] : this.#running.splice(index, 1)
    if (running === undefined) return
    closeLinks(running)
    running.program.close()
    running.standIn?.close()
  }

  /** Probes that run, in the order in which they were attached. */
  get attached(): readonly AttachedProbe[] {
    return this.#running.map(({ attached }) => attached)
  }

  /** Bytes in the ring, or in all rings together, that are not drained yet. @throws {ClosedError} */
  get backlogBytes(): number {
    return (this.#cpuRings?.rings ?? this.#reader).backlogBytes
  }

  /** Used share of the ring, or of the fullest of several, 0 to 1. @throws {ClosedError} */
  get fullness(): number {
    return (this.#cpuRings?.rings ?? this.#reader).fullness
  }

  /**
   * Compiles, loads and attaches a probe; see `load` and `LoadedProbe.attach`.
   *
   * @throws what either of them throws
   */
  attach(probe: Probe): AttachedProbe {
    return this.load(probe).attach()
  }

  /**
   * Compiles and loads a probe, in the first flavour that the verifier accepts. To attach several probes at
   * nearly the same moment, load all of them first: loading takes milliseconds, attaching does not.
   *
   * @throws {PrototypeError | BuildError | NotSupportedError} when the declaration does not fit this kernel
   * @throws {VerifierError | KernelError} when the kernel refuses
   */
  load(probe: Probe): LoadedProbe {
    this.#check()
    const loaded = this.#loader.load(probe)
    return { probe, attach: () => this.#attach(loaded) }
  }

  #attach({ compiled, flavor, ...programs }: LoadedPrograms): AttachedProbe {
    this.#check()
    const { probe, missing } = compiled
    const { program, standIn, reservation } = programs
    const { hook } = probe
    const where = { flavor, cgroup: this.#cgroup }
    const links: ProbeLink[] = []
    try {
      if (reservation !== undefined) links.push(this.#loader.calls.attach(hook, program, reservation, where))
      // The stand-in runs second.
      else for (const one of inRunOrder(hook, program, standIn)) links.push(attachProgram(hook, one, where))
    } catch (error) {
      closeLinks({ links })
      throw error
    }
    const attached: AttachedProbe = {
      probe,
      hook: hookName(hook, flavor),
      flavor,
      missing,
      info: () => program.info(),
    }
    this.#running.push({ attached, program, standIn, links })
    return attached
  }

  /** No more probes will be loaded: frees the BTF, which takes megabytes if it cannot be mapped. */
  seal(): void {
    this.#loader.seal()
  }

  /**
   * The map behind a declaration, once a probe that uses it is attached. The session owns it.
   *
   * @throws {RangeError} when no attached probe uses it
   * @throws {ClosedError}
   */
  map<K extends MapParts, V extends MapParts>(declared: TypedMap<K, V>): SessionMap<K, V> {
    this.#check()
    return new SessionMap(declared, this.#maps.declared(declared))
  }

  /**
   * Hands the finished records to `sink`; see `RingReader.drain`, and `CpuRings.drain` where each CPU has a ring.
   *
   * @returns the number of records
   * @throws {ClosedError}
   */
  drain(sink: RecordSink, max?: number): number {
    this.#check()
    return (this.#cpuRings?.rings ?? this.#reader).drain(sink, max)
  }

  /**
   * Whether the last `drain`, if it returned less than its `max`, took all that was written before it. In a ring that all
   * CPUs share, a record that is being written hides those behind it.
   *
   * @throws {ClosedError}
   */
  get hasTakenAll(): boolean {
    this.#check()
    return this.#cpuRings !== undefined || this.#reader.backlogBytes === 0
  }

  /**
   * Walks through the objects of an attached iterator, and hands the record of each to `sink`, in memory that is valid
   * for that call only. Objects created meanwhile may be missed.
   *
   * @returns the number of records
   * @throws {RangeError} when that probe is not attached, or no iterator
   * @throws {KernelError} when the kernel refuses
   * @throws {ClosedError}
   */
  iterate(probe: Probe, sink: RecordSink): number {
    this.#check()
    const running = this.#running.find(({ attached }) => attached.probe === probe)
    const link = running?.links[0]
    if (!(link instanceof IteratorLink)) {
      throw new RangeError(`Cannot iterate: probe "${probe.name}" is no iterator that is attached`)
    }
    let records = 0
    link.run((bytes) => {
      records += splitFrames(bytes, sink)
    })
    return records
  }

  /**
   * Sleeps until a record comes (`untilRecord`) or half a ring is full (`untilBacklog`), but at most
   * `timeoutMs`. One thread of libuv's pool sleeps meanwhile.
   *
   * @throws {ClosedError}
   */
  async wait(sleep: Sleep, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    this.#check()
    await this.#sleep.wait(sleep, timeoutMs, signal)
  }

  /** The descriptor that becomes readable as `arm` says. The session owns it. */
  get wakeFd(): Fd {
    return this.#reader.fd
  }

  /**
   * Lets `wakeFd` become readable at the next record (`untilRecord`), or when half a ring is full (`untilBacklog`),
   * until the next call of `arm` or `wait`: for an event loop that is not Node's. Drain first.
   *
   * @returns in how many ms to look at the records whether or not it becomes readable; 0 if some wait already
   * @throws {ClosedError}
   */
  arm(sleep: Sleep): number {
    this.#check()
    return this.#sleep.arm(sleep)
  }

  /** Ends the current sleep. */
  wake(): void {
    this.#sleep.wake()
  }

  /** @throws {ClosedError} */
  counters(): SessionCounters {
    this.#check()
    const produced = new Map<number, number>()
    const lost = new Map<number, number>()
    for (const [type, counter] of this.#loader.counters) {
      const count = this.#lanes.count(counter)
      produced.set(type, count.produced)
      lost.set(type, count.lost)
    }
    return { produced, lost }
  }

  /**
   * Records that were lost since the last call, by user and by process, where `fairUsers` is set. Those that both lack
   * were lost by programs that name no user, or are more than the tables have room for.
   *
   * @throws {KernelError}
   * @throws {ClosedError}
   */
  takeLosses(): TakenLosses {
    this.#check()
    return this.#losses?.take(this.#lanes.lost) ?? NO_LOSSES
  }

  /**
   * Has users share only a part of each ring, 0 to 1, where `fairUsers` is set, and has each share be that part of what it
   * is: for a reader that falls behind, as what waits in a ring is read late. At first it is 1.
   *
   * @throws {RangeError} for another part
   * @throws {ClosedError}
   */
  shareAmongUsers(part: number): void {
    this.#check()
    if (!(part > 0 && part <= 1))
      throw new RangeError(`Cannot have users share ${part} of a ring: give 0 to 1`)
    this.#shares?.narrow(part)
    const layout = this.#cpuRings?.layout
    this.#lanes.shareAmongUsers((level) => {
      if (layout === undefined) return part * this.ringSizeBytes
      return part * (level === 0 ? layout.sizeBytes : layout.nestedSizeBytes)
    })
  }

  /** Records that were shortened as the ring was scarce. @throws {ClosedError} */
  shortened(): number {
    this.#check()
    return this.#lanes.shortened
  }

  /**
   * Number of the last record that each lane made, lost ones included. A lane is a level of a CPU, and records have it in
   * place of the CPU: `lane = level * cpus + cpu`, with all possible CPUs.
   *
   * @throws {ClosedError}
   */
  sequences(): Uint32Array {
    this.#check()
    return this.#lanes.sequences()
  }

  /** Bytes of kernel memory that the session took for its rings and scratch; not those of programs and other maps. */
  get kernelMemoryBytes(): number {
    return this.#kernelMemoryBytes
  }

  /** Detaches all probes: no more records are made. What is in the ring can still be drained. */
  detach(): void {
    this.#loader.calls.detach()
    for (const running of this.#running) closeLinks(running)
  }

  /**
   * Runs that the kernel skipped because the program was already running on that CPU, without those that a stand-in
   * made up for: Linux 5.12. And those that probes at functions missed (`KprobeLink.missedRuns`): Linux 6.7.
   */
  recursionMisses(): number {
    this.#check()
    let skipped = this.#loader.calls.recursionMisses()
    for (const { program, links } of this.#running) {
      skipped += program.info().recursionMisses
      for (const link of links) if (link instanceof KprobeLink) skipped += link.missedRuns()
    }
    // Read second: a run that is made up for is skipped first.
    const { stoodIn } = this.#lanes
    return Math.max(0, skipped - stoodIn)
  }

  /**
   * Runs that recorded nothing and changed no map, since they interrupted as many other programs as there are levels, or,
   * with a record too large for the other levels, any.
   *
   * @throws {ClosedError}
   */
  nestingMisses(): number {
    this.#check()
    return this.#lanes.tooDeep
  }

  /** Detaches everything and frees the maps. Records that were not drained are gone. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#loader.calls.detach()
    for (const running of this.#running) closeLinks(running)
    this.#loader.close()
    this.#sleep.close()
    this.#reader.close()
    this.#cpuRings?.close()
    this.#lanes.close()
    this.#maps.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #check(): void {
    if (this.#closed) throw new ClosedError('Probe session')
  }
}

const NO_LOSSES: TakenLosses = { total: 0, uids: new Map(), pids: new Map() }

interface Resources {
  readonly maps: SessionMaps
  readonly lanes: SessionLanes
  readonly shares: SessionShares | undefined
  readonly losses: SessionLosses | undefined
  readonly reader: RingReader
  readonly cpuRings: SessionRings | undefined
  readonly sleep: SessionSleep
}

/** In the order in which they are to be attached. */
function inRunOrder(hook: Hook, program: Program, standIn: Program | undefined): Program[] {
  if (standIn === undefined) return [program]
  return hookType(hook).runsFirst === 'newest' ? [standIn, program] : [program, standIn]
}

function closeLinks({ links }: Pick<Running, 'links'>): void {
  for (const link of links.toReversed()) link.close()
}
