/** A session: probes compiled for this kernel, loaded, attached, and one ring that they all write to. */

import { IteratorLink } from '../attach/index.js'
import { resolveMaps } from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError, ClosedError } from '../errors.js'
import { VerifierError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import { BpfMap, possibleCpuCount } from '../map/map.js'
import {
  type CompiledProbe,
  compileProbe,
  type Flavor,
  type MissingField,
  type Probe,
  type ProbeMap,
  type Target,
} from '../probe/index.js'
import { standInOf } from '../probe/compile.js'
import { mapsOf } from '../probe/probe.js'
import {
  FIRST_TEMPORARY,
  RING_MAP,
  scratchMap,
  scratchSlotBytes,
  SLOT_LOST,
  SLOT_PRODUCED,
  SLOT_SEQ,
  SLOT_STOOD_IN,
} from '../probe/scratch.js'
import { Program, type ProgramInfo } from '../program/program.js'
import type { RecordSink } from '../ring/cursor.js'
import { RingReader } from '../ring/ringbuf.js'
import { attachProgram, flavorsOf, hookName, type ProbeLink, programKind } from './hooks.js'
import { splitFrames } from './frames.js'
import { SessionMaps } from './maps.js'
import { SessionRings, wakeRingBytes } from './rings.js'
import { type Sleep, SessionSleep } from './sleep.js'
import { pageSizeBytes } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'
import { kernelAtLeast } from '../sys/platform.js'

export interface SessionOptions {
  readonly btf: Btf
  /** Bytes of the ring: a power of two and a multiple of the page size. */
  readonly ringSizeBytes: number
  /** Flavours to try for tracing hooks, in this order. Default: direct, then probeRead. */
  readonly flavors?: readonly Flavor[]
  /** How path walks loop. Default: bpf_loop where the kernel has it. */
  readonly loop?: 'helper' | 'bounded'
  /** Whether programs may call bpf_probe_read_kernel. Default: whether the kernel lets them. */
  readonly probeRead?: boolean
  /**
   * Whether each CPU has a ring of its own, which costs the programs less (probe/output.ts). Default: on x86-64, when
   * rings of at least 256 KiB take no more than four times `ringSizeBytes`. Needs x86-64, `probeRead`, and on old kernels
   * that all together have less than 4 MiB.
   */
  readonly cpuRings?: boolean
  /** Whether tracing programs may be preempted. Default: from Linux 6.19 on. Needs Linux 6.10. */
  readonly preemptible?: boolean
  /**
   * Whether the kernel preempts tasks inside of it. Default: what it says, yes where it does not say. If it does,
   * fentry, fexit, iterators and programs of cgroups need Linux 6.10.
   */
  readonly kernelPreempts?: boolean
  /** Folder of the cgroup that hooks of cgroups are attached to, within a cgroup2 mount. Default: the root of all. */
  readonly cgroup?: string
}

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

/** Counters of the kernel side, summed over CPUs, by record type. */
export interface SessionCounters {
  /** Records that reached the ring. */
  readonly produced: Float64Array
  /** Records that found no room in it. */
  readonly lost: Float64Array
}

/** Types of records that counters are kept for. */
const TYPES = 32

const FLAVORS: readonly Flavor[] = ['direct', 'probeRead']

interface Programs {
  readonly program: Program
  /** Works where the kernel skipped the program (probe/stand-in.ts). */
  readonly standIn: Program | undefined
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
  readonly #cpus = possibleCpuCount()
  readonly #slotBytes: number
  readonly #maps: SessionMaps
  /** The first page of each CPU's slot. */
  readonly #slots: readonly MappedMemory[]
  /** All records, or, where the CPUs have rings of their own, what wakes the reader. */
  readonly #reader: RingReader
  readonly #cpuRings: SessionRings | undefined
  readonly #sleep: SessionSleep
  readonly #running: Running[] = []
  /** All that were loaded, whether or not they run. */
  readonly #programs: Program[] = []
  #closed = false

  private constructor(options: SessionOptions, slotBytes: number, resources: Resources) {
    this.ringSizeBytes = options.ringSizeBytes
    const { btf, ...others } = options
    this.#options = others
    this.#btf = btf
    this.#slotBytes = slotBytes
    this.#maps = resources.maps
    this.#slots = resources.slots
    this.#reader = resources.reader
    this.#cpuRings = resources.cpuRings
    this.#sleep = resources.sleep
  }

  /**
   * Creates the maps. `maxRecordBytes` is the size of the largest record that any probe will write
   * (`probe.maxSizeBytes`).
   *
   * @throws {KernelError} when the kernel refuses; refusals for want of rights carry advice
   */
  static open(options: SessionOptions, maxRecordBytes: number): ProbeSession {
    const slotBytes = scratchSlotBytes(maxRecordBytes, pageSizeBytes())
    const cpus = possibleCpuCount()
    const opened: Disposable[] = []
    const own = <T extends Disposable>(resource: T): T => {
      opened.push(resource)
      return resource
    }
    try {
      const scratch = own(BpfMap.create(scratchMap(cpus, slotBytes)))
      const slots = Array.from({ length: cpus }, (_, cpu) =>
        own(
          MappedMemory.map(scratch.fd, pageSizeBytes(), {
            what: `counters of CPU ${cpu}`,
            writable: true,
            offsetBytes: cpu * slotBytes,
          }),
        ),
      )
      const cpuRings = SessionRings.open(options, slots, maxRecordBytes)
      if (cpuRings !== undefined) own(cpuRings)
      const ringBytes = cpuRings === undefined ? options.ringSizeBytes : wakeRingBytes(cpus)
      const ring = own(BpfMap.create({ name: RING_MAP, type: 'ringbuf', maxEntries: ringBytes }))
      const reader = own(RingReader.open(ring))
      const sleep = own(new SessionSleep(reader, slots, cpuRings?.rings ?? reader))
      const maps = new SessionMaps([ring, scratch, ...(cpuRings === undefined ? [] : [cpuRings.map])])
      return new ProbeSession(options, slotBytes, { maps, slots, reader, cpuRings, sleep })
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
    let refusal: VerifierError | undefined
    for (const flavor of flavors) {
      try {
        const compiled = compileProbe(probe, this.#target(flavor))
        const program = this.#load(compiled, flavor)
        this.#programs.push(program)
        const standIn = this.#loadStandIn(probe, flavor)
        return { probe, attach: () => this.#attach(compiled, { program, standIn }, flavor) }
      } catch (error) {
        // Only the verifier's verdict depends on how memory is read.
        if (!(error instanceof VerifierError)) throw error
        refusal ??= error
      }
    }
    throw refusal ?? new BuildError(`Cannot load probe "${probe.name}": no flavour to try`)
  }

  #loadStandIn(probe: Probe, flavor: Flavor): Program | undefined {
    const target = this.#target(flavor)
    if (standInOf(probe, target) === undefined) return undefined
    const program = this.#load(compileProbe(probe, target, 'standIn'), flavor)
    this.#programs.push(program)
    return program
  }

  #attach({ probe, missing }: CompiledProbe, programs: Programs, flavor: Flavor): AttachedProbe {
    this.#check()
    const { program, standIn } = programs
    const where = { flavor, cgroup: this.#options.cgroup }
    const links = [attachProgram(probe, program, where)]
    try {
      // The kernel calls programs of a tracepoint in the order in which they were attached.
      if (standIn !== undefined) links.push(attachProgram(probe, standIn, where))
    } catch (error) {
      closeLinks({ links })
      throw error
    }
    const attached: AttachedProbe = {
      probe,
      hook: hookName(probe, flavor),
      flavor,
      missing,
      info: () => program.info(),
    }
    this.#running.push({ attached, program, standIn, links })
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
      cpus: this.#cpus,
      scratchSlotBytes: this.#slotBytes,
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
    return Program.load({
      name: probe.name,
      code: resolveMaps(code, (name) => this.#maps.fdOf(name)),
      declaration,
      functions: code.functions,
      ...programKind(probe, flavor, this.#openBtf()),
    })
  }

  /**
   * The map behind a declaration, once a probe that uses it is attached. The session owns it.
   *
   * @throws {RangeError} when no attached probe uses it
   * @throws {ClosedError}
   */
  map(declared: ProbeMap): BpfMap {
    this.#check()
    return this.#maps.declared(declared)
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
    const produced = new Float64Array(TYPES)
    const lost = new Float64Array(TYPES)
    for (const { buffer } of this.#slots) {
      const counters = new BigUint64Array(buffer, 0, FIRST_TEMPORARY / 8)
      for (let type = 0; type < TYPES; type += 1) {
        produced[type]! += Number(counters[SLOT_PRODUCED / 8 + type])
        lost[type]! += Number(counters[SLOT_LOST / 8 + type])
      }
    }
    return { produced, lost }
  }

  /** Number of the last record that each CPU made, lost ones included. @throws {ClosedError} */
  sequences(): Uint32Array {
    this.#check()
    return Uint32Array.from(this.#slots, ({ buffer }) => new Uint32Array(buffer, SLOT_SEQ, 1)[0] ?? 0)
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
    const skipped = this.#running.reduce((sum, { program }) => sum + program.info().recursionMisses, 0)
    // Read second: a run that is made up for is skipped first.
    const stoodIn = this.#slots.reduce(
      (sum, { buffer }) => sum + Number(new BigUint64Array(buffer, SLOT_STOOD_IN, 1)[0]),
      0,
    )
    return Math.max(0, skipped - stoodIn)
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
    for (const slot of this.#slots) slot.close()
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
  readonly slots: readonly MappedMemory[]
  readonly reader: RingReader
  readonly cpuRings: SessionRings | undefined
  readonly sleep: SessionSleep
}

function closeLinks({ links }: Pick<Running, 'links'>): void {
  for (const link of links.toReversed()) link.close()
}
