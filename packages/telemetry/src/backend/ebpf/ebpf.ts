/** The eBPF backend: generated programs and one shared ring. */

import {
  type AttachedProbe,
  type Btf,
  BtfError,
  EbpfError,
  kernelBtf,
  KernelError,
  type LoadedProbe,
  type Probe,
  probeFeature,
  ProbeSession,
  type RecordSink,
  type SessionOptions,
} from 'quark-ebpf'
import { openKernelTypes } from '../../btf/types.js'
import type { FactProbes } from '../../event/fact.js'
import type { AttachedFact, MissingFact } from '../../pipeline/stats.js'
import type { Backend, BackendCounters } from '../backend.js'
import { addMissingFields } from '../missing-fields.js'

export interface EbpfBackendOptions {
  readonly facts: readonly FactProbes[]
  readonly ringSizeBytes: number
  /** BTF file; the running kernel's own when absent. */
  readonly btf?: string | undefined
  readonly flavors?: SessionOptions['flavors']
  readonly loop?: SessionOptions['loop']
}

export class EbpfBackend implements Backend {
  readonly name = 'ebpf'
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #session: ProbeSession
  #counters: BackendCounters | undefined
  #lastMisses = 0

  private constructor(session: ProbeSession, attached: AttachedFact[], missing: MissingFact[]) {
    this.#session = session
    this.attached = attached
    this.missing = missing
  }

  /**
   * Attaches the probes of every fact. A fact that this kernel cannot supply is reported in `missing`.
   *
   * @throws {EbpfError} when the kernel refuses altogether, or a required fact cannot be had
   */
  static open(options: EbpfBackendOptions): EbpfBackend {
    const { facts, ringSizeBytes, flavors, loop } = options
    const btf = options.btf === undefined ? kernelBtf() : btfOf(options.btf)
    const probes = facts.flatMap(({ ways }) => ways.flat())
    const session = ProbeSession.open(
      {
        btf,
        ringSizeBytes,
        ...(flavors === undefined ? {} : { flavors }),
        ...(loop === undefined ? {} : { loop }),
      },
      Math.max(...probes.map((probe) => probe.layout.maxSizeBytes)),
    )
    try {
      const attached: AttachedFact[] = []
      const missing: MissingFact[] = []
      // Loading takes much longer than attaching: all facts are to begin at nearly the same moment.
      const refused = new Map<string, EbpfError>()
      const loaded = facts.map((fact) => new FactLoader(session, fact, refused))
      for (const fact of loaded) fact.attach(attached, missing)
      session.seal()
      return new EbpfBackend(session, attached, missing)
    } catch (error) {
      session.close()
      throw error
    }
  }

  get fullness(): number {
    return this.#session.fullness
  }

  drain(sink: RecordSink, max: number): number {
    return this.#session.drain(sink, max)
  }

  wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.#session.wait(sleep, timeoutMs, signal)
  }

  wake(): void {
    this.#session.wake()
  }

  counters(): BackendCounters {
    // The last counts stay readable after close.
    if (this.#counters !== undefined) return this.#counters
    return { ...this.#session.counters(), recursionMisses: this.#recursionMisses() }
  }

  /** A process that gave up its rights may not ask the kernel any more: the last answer stands. */
  #recursionMisses(): number {
    try {
      this.#lastMisses = this.#session.recursionMisses()
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== 'ERR_EBPF_PERMISSION') throw error
    }
    return this.#lastMisses
  }

  sequences(): Uint32Array {
    return this.#session.sequences()
  }

  stop(): void {
    this.#session.detach()
  }

  [Symbol.dispose](): void {
    if (this.#counters !== undefined) return
    this.#counters = this.counters()
    this.#session.close()
  }
}

/** The BTF in a file: the kernel checks programs against types by their ids, which only real BTF has. */
function btfOf(path: string): Btf {
  const { btf, isTable } = openKernelTypes(path)
  if (isTable) throw new BtfError(`Cannot load programs by the offset table "${path}": they need BTF itself`)
  return btf
}

/**
 * Why the kernel lets nobody hook functions. Two instructions find it out, where a probe takes milliseconds to make
 * and to load before its attaching is refused.
 */
function hookProblem(kind: Probe['hook']['kind']): EbpfError | undefined {
  if (kind !== 'fentry' && kind !== 'kprobe') return undefined
  const { reason } = probeFeature(kind)
  if (!(reason instanceof EbpfError)) return undefined
  return reason.code === 'ERR_EBPF_PERMISSION' || reason.code === 'ERR_EBPF_NOT_SUPPORTED'
    ? reason
    : undefined
}

/** Goes through the ways to learn a fact. The first that can be loaded is loaded at once. */
class FactLoader {
  readonly #session: ProbeSession
  readonly #fact: FactProbes
  /** Hooks that the kernel refused: they are not tried again for another way or fact. */
  readonly #refused: Map<string, EbpfError>
  readonly #refusals: EbpfError[] = []
  #nextWay = 0
  #loaded: LoadedProbe[] | undefined

  constructor(session: ProbeSession, fact: FactProbes, refused: Map<string, EbpfError>) {
    this.#session = session
    this.#fact = fact
    this.#refused = refused
    this.#loaded = this.#loadNext()
  }

  /** Attaches the way that was loaded, or the next one that works; else the fact is missing. */
  attach(attached: AttachedFact[], missing: MissingFact[]): void {
    const { fact, required } = this.#fact
    for (; this.#loaded !== undefined; this.#loaded = this.#loadNext()) {
      const running = this.#attachAll(this.#loaded)
      if (running === undefined) continue
      for (const { hook, flavor } of running) {
        attached.push({ fact, hook, flavor: flavor === 'direct' ? 'direct' : 'probe_read' })
      }
      for (const probe of running) addMissingFields(missing, fact, probe.missing)
      return
    }
    const [first] = this.#refusals
    if (required && first !== undefined) throw first
    // Several ways often fail for one reason.
    const reasons = new Set(this.#refusals.map(({ message }) => message))
    missing.push({ fact, reason: [...reasons].join('; ') })
  }

  #loadNext(): LoadedProbe[] | undefined {
    for (;;) {
      const way = this.#fact.ways[this.#nextWay]
      if (way === undefined) return undefined
      this.#nextWay += 1
      const loaded = this.#tried(() => way.map((probe) => this.#load(probe)))
      if (loaded !== undefined) return loaded
    }
  }

  #load(probe: Probe): LoadedProbe {
    const { kind, target } = probe.hook
    const hook = `${kind}/${target}`
    const known = this.#refused.get(hook)
    if (known !== undefined) throw known
    try {
      const problem = hookProblem(kind)
      if (problem !== undefined) throw problem
      return this.#session.load(probe)
    } catch (error) {
      if (error instanceof EbpfError) this.#refused.set(hook, error)
      throw error
    }
  }

  #attachAll(loaded: readonly LoadedProbe[]): AttachedProbe[] | undefined {
    const running: AttachedProbe[] = []
    const all = this.#tried(() => {
      for (const probe of loaded) running.push(probe.attach())
      return running
    })
    if (all === undefined) for (const probe of running) this.#session.detachProbe(probe)
    return all
  }

  #tried<T>(action: () => T): T | undefined {
    try {
      return action()
    } catch (error) {
      if (!(error instanceof EbpfError)) throw error
      this.#refusals.push(error)
      return undefined
    }
  }
}
