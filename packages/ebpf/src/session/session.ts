/** A session: probes compiled for this kernel, loaded, attached, and one ring that they all write to. */

import { IteratorLink } from '../attach/index.js'
import { type AssembledCode, resolveMaps } from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError, ClosedError } from '../errors.js'
import { VerifierError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import { BpfMap, possibleCpuCount } from '../map/map.js'
import {
  type Assignment,
  type CompiledProbe,
  compileProbe,
  type Flavor,
  type Hook,
  type MissingField,
  type Probe,
  type MapParts,
  type TypedMap,
  type Target,
} from '../probe/index.js'
import { standInOf } from '../probe/compile.js'
import { mapsOf } from '../probe/probe.js'
import { levelsOf } from '../probe/contexts.js'
import {
  COUNTERS,
  type LevelSizes,
  MAX_LEVELS,
  MAX_NOTES,
  RING_MAP,
  scratchLayout,
} from '../probe/scratch.js'
import { Program, type ProgramInfo } from '../program/program.js'
import type { RecordSink } from '../ring/cursor.js'
import { RingReader } from '../ring/ringbuf.js'
import { attachProgram, flavorsOf, hookName, type ProbeLink, programKind } from './hooks.js'
import { canShare, type Reservation, SessionCalls } from './dispatch.js'
import { splitFrames } from './frames.js'
import { SessionLanes } from './lanes.js'
import { SessionMaps } from './maps.js'
import { SessionMap } from './session-map.js'
import { SessionRings, wakeRingBytes } from './rings.js'
import { SessionShares } from './shares.js'
import type { SessionOptions } from './options.js'
import { type Sleep, SessionSleep } from './sleep.js'
import { pageSizeBytes } from '../sys/libc.js'
import { kernelAtLeast } from '../sys/platform.js'

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

/** A task, a softirq in it, and an interrupt in that. */
const USUAL_LEVELS = 3

const FLAVORS: readonly Flavor[] = ['direct', 'probeRead']

interface Programs {
  readonly program: Program
  /** Works where the kernel skipped the program (probe/stand-in.ts). */
  readonly standIn: Program | undefined
  /** What the program is called by, if it is not at its tracepoint itself. */
  readonly reservation: Reservation | undefined
}

interface Running extends Programs {
  readonly attached: AttachedProbe
  /** The last to be opened is the first to be closed. */
  readonly links: readonly ProbeLink[]
}

/**
 * Loads and attaches probes one by one. A probe that this kernel cannot run is an error of `attach`, and the
 * session stays as it was, so that the caller can go down its own ladder.
 */
export class ProbeSession implements Disposable {
  readonly ringSizeBytes: number
  readonly #options: Omit<SessionOptions, 'btf'>
  #btf: Btf | undefined
  readonly #maps: SessionMaps
  readonly #calls: SessionCalls
  readonly #lanes: SessionLanes
  readonly #shares: SessionShares | undefined
  /** Which counter each record type has. */
  readonly #counters = new Map<number, number>()
  #notes = 0
  readonly #kernelMemoryBytes: number
  /** All records, or, where the CPUs have rings of their own, what wakes the reader. */
  readonly #reader: RingReader
  readonly #cpuRings: SessionRings | undefined
  readonly #sleep: SessionSleep
  readonly #running: Running[] = []
  /** All that were loaded, whether or not they run. */
  readonly #programs: Program[] = []
  #closed = false

  private constructor(options: SessionOptions, resources: Resources) {
    this.ringSizeBytes = options.ringSizeBytes
    const { btf, ...others } = options
    this.#options = others
    this.#btf = btf
    this.#maps = resources.maps
    this.#calls = new SessionCalls(resources.maps)
    this.#lanes = resources.lanes
    this.#shares = resources.shares
    this.#reader = resources.reader
    this.#cpuRings = resources.cpuRings
    this.#sleep = resources.sleep
    const { map } = resources.lanes
    this.#kernelMemoryBytes =
      map.valueSizeBytes + (resources.cpuRings?.map.valueSizeBytes ?? 0) + resources.reader.capacityBytes
  }

  /**
   * Creates the maps.
   *
   * @param records the probes that will be attached, or the size of the largest record that any of them will write
   *   (`probe.maxSizeBytes`). When it is given the probes, and they say where they run, it takes less memory.
   * @throws {RangeError} for levels or shares that cannot be
   * @throws {KernelError} when the kernel refuses; refusals for want of rights carry advice
   */
  static open(options: SessionOptions, records: number | readonly Probe[]): ProbeSession {
    const sizes = sizesOf(options, records)
    const shares = SessionShares.of(options.shares)
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
      return new ProbeSession(options, { maps, lanes, shares, reader, cpuRings, sleep })
    } catch (error) {
      for (const resource of opened.toReversed()) resource[Symbol.dispose]()
      throw error
    }
  }

  /** Detaches one probe; the others go on. */
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

  /** Bytes that wait in the ring, or in the rings together. @throws {ClosedError} */
  get backlogBytes(): number {
    return (this.#cpuRings?.rings ?? this.#reader).backlogBytes
  }

  /** Share of the ring that waits, or of the fullest of several, 0 to 1. @throws {ClosedError} */
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
    const flavors = flavorsOf(probe.hook, this.#options.flavors ?? FLAVORS)
    const mayShare =
      this.#options.shareCalls !== false &&
      !this.#calls.isFull &&
      canShare(probe.hook, this.#target('direct'))
    const shared = mayShare ? flavors.map((flavor) => ({ flavor, shares: true })) : []
    let assignment: Assignment | undefined
    let refusal: VerifierError | undefined
    for (const { flavor, shares } of [...shared, ...flavors.map((flavor) => ({ flavor, shares: false }))]) {
      try {
        const target = this.#target(flavor)
        assignment ??= this.#assign(probe, target)
        return this.#loadIn(probe, target, assignment, shares)
      } catch (error) {
        // Only the verifier's verdict depends on how memory is read.
        if (!(error instanceof VerifierError)) throw error
        refusal ??= error
      }
    }
    throw refusal ?? new BuildError(`Cannot load probe "${probe.name}": no flavour to try`)
  }

  #loadIn(probe: Probe, target: Target, assignment: Assignment, shares: boolean): LoadedProbe {
    const { flavor } = target
    const { hook } = probe
    const reservation = shares
      ? this.#calls.reserve(hook, target, (code) => this.#loadCode(hook.target, hook, code, flavor))
      : undefined
    const compiled = compileProbe(probe, target, { ...assignment, next: reservation?.next.spec.name })
    const program = this.#load(compiled, flavor)
    const standIn = this.#loadStandIn(probe, flavor, assignment)
    const programs = { program, standIn, reservation }
    return { probe, attach: () => this.#attach(compiled, programs, flavor) }
  }

  #loadStandIn(probe: Probe, flavor: Flavor, assignment: Assignment): Program | undefined {
    const target = this.#target(flavor)
    if (standInOf(probe, target) === undefined) return undefined
    return this.#load(compileProbe(probe, target, { ...assignment, role: 'standIn' }), flavor)
  }

  /** What of the scratch is this probe's. */
  #assign(probe: Probe, target: Target): Assignment {
    const hasStandIn = standInOf(probe, target) !== undefined
    const note = hasStandIn ? this.#notes++ : 0
    if (note >= MAX_NOTES) {
      throw new BuildError(
        `Cannot load probe "${probe.name}": a session has at most ${MAX_NOTES} tracepoints`,
      )
    }
    const { record } = probe
    if (record === undefined) return { role: 'first', counter: 0, share: undefined, note, next: undefined }
    const counter = this.#counters.get(record.type) ?? this.#counters.size
    if (counter >= COUNTERS) {
      throw new BuildError(
        `Cannot load probe "${probe.name}": a session has at most ${COUNTERS} types of records`,
      )
    }
    this.#counters.set(record.type, counter)
    return { role: 'first', counter, share: this.#shares?.shareOf(record.type), note, next: undefined }
  }

  #attach({ probe, missing }: CompiledProbe, programs: Programs, flavor: Flavor): AttachedProbe {
    this.#check()
    const { program, standIn, reservation } = programs
    const { hook } = probe
    const where = { flavor, cgroup: this.#options.cgroup }
    const links: ProbeLink[] = [
      reservation === undefined
        ? attachProgram(hook, program, where)
        : this.#calls.attach(hook, program, reservation, where),
    ]
    try {
      // The kernel calls programs of a tracepoint in the order in which they were attached.
      if (standIn !== undefined) links.push(attachProgram(hook, standIn, where))
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
    this.#running.push({ attached, ...programs, links })
    return attached
  }

  /** No more probes will be loaded: gives up the BTF, which takes megabytes where the kernel does not let it be mapped. */
  seal(): void {
    this.#btf = undefined
  }

  #openBtf(): Btf {
    if (this.#btf === undefined) throw new BuildError('Cannot load another probe: the session is sealed')
    return this.#btf
  }

  #target(flavor: Flavor): Target {
    const { loop, preemptible, probeRead } = this.#options
    const preempts = this.#options.kernelPreempts
    return {
      btf: this.#openBtf(),
      flavor,
      loop: loop ?? (probeFeature('bpfLoop').supported ? 'helper' : 'bounded'),
      architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
      cpus: this.#lanes.cpus,
      scratch: this.#lanes.layout,
      ringSizeBytes: this.ringSizeBytes,
      cpuRings: this.#cpuRings?.layout,
      preemptible: preemptible ?? kernelAtLeast('6.19'),
      // Found out by those who ask: it can take a system call or some.
      get kernelPreempts() {
        return preempts ?? kernelPreempts()
      },
      probeRead: probeRead ?? probeFeature('probeReadKernel').supported,
    }
  }

  #load({ probe, code, declaration }: CompiledProbe, flavor: Flavor): Program {
    for (const map of mapsOf(probe)) this.#maps.declare(map)
    return this.#loadCode(probe.name, probe.hook, code, flavor, declaration)
  }

  /** Loads a program, which the session closes. */
  #loadCode(name: string, hook: Hook, code: AssembledCode, flavor: Flavor, declaration?: string): Program {
    const program = Program.load({
      name,
      code: resolveMaps(code, (map) => this.#maps.fdOf(map)),
      ...(declaration === undefined ? {} : { declaration }),
      functions: code.functions,
      ...programKind(hook, flavor, this.#openBtf()),
    })
    this.#programs.push(program)
    return program
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
   * @returns how many there were
   * @throws {ClosedError}
   */
  drain(sink: RecordSink, max?: number): number {
    this.#check()
    return (this.#cpuRings?.rings ?? this.#reader).drain(sink, max)
  }

  /**
   * Walks through the objects of an attached iterator, and hands the record of each to `sink`, in memory that is valid
   * for that call only. What the kernel makes in the meantime may be missed.
   *
   * @returns how many there were
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

  /** Ends a sleep at hand. */
  wake(): void {
    this.#sleep.wake()
  }

  /** @throws {ClosedError} */
  counters(): SessionCounters {
    this.#check()
    const produced = new Map<number, number>()
    const lost = new Map<number, number>()
    for (const [type, counter] of this.#counters) {
      const count = this.#lanes.count(counter)
      produced.set(type, count.produced)
      lost.set(type, count.lost)
    }
    return { produced, lost }
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
    for (const running of this.#running) closeLinks(running)
  }

  /**
   * Runs that the kernel skipped because the program was already running on that CPU, without those that a stand-in
   * made up for. Needs Linux 5.12.
   */
  recursionMisses(): number {
    this.#check()
    const programs = this.#running.reduce((sum, { program }) => sum + program.info().recursionMisses, 0)
    const skipped = programs + this.#calls.recursionMisses()
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
    for (const running of this.#running) closeLinks(running)
    for (const program of this.#programs) program.close()
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

interface Resources {
  readonly maps: SessionMaps
  readonly lanes: SessionLanes
  readonly shares: SessionShares | undefined
  readonly reader: RingReader
  readonly cpuRings: SessionRings | undefined
  readonly sleep: SessionSleep
}

function closeLinks({ links }: Pick<Running, 'links'>): void {
  for (const link of links.toReversed()) link.close()
}

/** @throws {RangeError} for levels that cannot be */
function sizesOf({ levels }: SessionOptions, records: number | readonly Probe[]): LevelSizes {
  if (levels !== undefined && (!Number.isInteger(levels) || levels < 1 || levels > MAX_LEVELS)) {
    throw new RangeError(`Cannot open a session with ${levels} levels: give 1 to ${MAX_LEVELS}`)
  }
  if (typeof records === 'number') {
    return { levels: levels ?? USUAL_LEVELS, maxRecordBytes: records, nestedRecordBytes: records }
  }
  const needed = levelsOf(records)
  return { ...needed, levels: levels ?? needed.levels }
}
