/** The eBPF backend: generated programs and one shared ring. */

import {
  type AttachedProbe,
  type Btf,
  BtfError,
  BuildError,
  EbpfError,
  type Fd,
  kernelBtf,
  KernelError,
  type LoadedProbe,
  type Probe,
  probeFeature,
  ProbeSession,
  type RecordSink,
  type SessionOptions,
  VerifierError,
} from 'quark-ebpf'
import { openKernelTypes } from '../../btf/types.js'
import type { AttachedFact, Fact, MissingFact } from '../../facts/fact.js'
import { type EbpfRung, type Maps, probesOf, type Rung } from '../../facts/rungs.js'
import { asking, inheritProbe } from '../../process/tracked/kernel.js'
import { KernelSet } from '../../process/tracked/kernel-set.js'
import { FILTERS_IN_KERNEL, type Tracking } from '../../process/tracked/tracking.js'
import { RULES_IN_KERNEL, type Ruling } from '../../process/ruled/ruling.js'
import { type Answers, attachFacts } from '../attach-facts.js'
import type { AttachedRung, LoadedRung } from '../loaded-rung.js'
import type { Backend, BackendCounters, LossesOf } from '../backend.js'
import type { Sources } from '../sources.js'

export interface EbpfBackendOptions {
  readonly facts: readonly Fact[]
  readonly sources: Sources
  readonly ringSizeBytes: number
  /** BTF file; the running kernel's own when absent. */
  readonly btf?: string | undefined
  /** What programs ask before they write records of processes. */
  readonly tracking?: Tracking | undefined
  /** What programs leave out for rules. */
  readonly ruling?: Ruling | undefined
  readonly shares?: SessionOptions['shares']
  readonly recordShares?: SessionOptions['recordShares']
  readonly flavors?: SessionOptions['flavors']
  readonly loop?: SessionOptions['loop']
}

export class EbpfBackend implements Backend {
  readonly name = 'ebpf'
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #session: ProbeSession
  readonly #iterators: ReadonlyMap<string, readonly Probe[]>
  #counters: BackendCounters | undefined
  #lastMisses = 0
  #lastShortened = 0

  private constructor(
    session: ProbeSession,
    { attached, missing }: Answers,
    iterators: ReadonlyMap<string, readonly Probe[]>,
  ) {
    this.#session = session
    this.#iterators = iterators
    this.attached = attached
    this.missing = missing
  }

  /**
   * Attaches the probes of every fact. A fact that this kernel cannot supply is reported in `missing`.
   *
   * @throws {EbpfError} when the kernel refuses all programs, or a required fact cannot be had
   */
  static open(options: EbpfBackendOptions): EbpfBackend {
    const { tracking, ruling } = options
    try {
      return new EbpfBackend(...openSession(options))
    } catch (error) {
      if (error instanceof TrackingError && tracking !== undefined) {
        tracking.problem = error.message
        return EbpfBackend.open({ ...options, tracking: undefined })
      }
      if (error instanceof RulingError && ruling !== undefined) {
        ruling.problem = error.message
        return EbpfBackend.open({ ...options, ruling: undefined })
      }
      throw error
    }
  }

  /** @throws {KernelError} when the kernel refuses */
  walk(fact: string, sink: RecordSink): boolean {
    const probes = this.#iterators.get(fact)
    for (const probe of probes ?? []) this.#session.iterate(probe, sink)
    return probes !== undefined
  }

  get fullness(): number {
    return this.#session.fullness
  }

  drain(sink: RecordSink, max: number): number {
    return this.#session.drain(sink, max)
  }

  get hasTakenAll(): boolean {
    return this.#session.hasTakenAll
  }

  wait(sleep: 'untilRecord' | 'untilBacklog', timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.#session.wait(sleep, timeoutMs, signal)
  }

  get fds(): readonly Fd[] {
    return [this.#session.wakeFd]
  }

  arm(sleep: 'untilRecord' | 'untilBacklog'): number {
    return this.#session.arm(sleep)
  }

  wake(): void {
    this.#session.wake()
  }

  counters(): BackendCounters {
    // The last counts stay readable after close.
    if (this.#counters !== undefined) return this.#counters
    return { ...this.#session.counters(), recursionMisses: this.#missedRuns() }
  }

  /**
   * Without its rights the process cannot read the kernel's count any more: the last one is kept. The next one has what
   * one misses that could not be read.
   */
  #missedRuns(): number {
    try {
      this.#lastMisses = this.#session.recursionMisses() + this.#session.nestingMisses()
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
    }
    return this.#lastMisses
  }

  takeLosses(): LossesOf {
    return this.#session.takeLosses()
  }

  shareAmongUsers(part: number): void {
    this.#session.shareAmongUsers(part)
  }

  get shortened(): number {
    if (this.#counters === undefined) this.#lastShortened = this.#session.shortened()
    return this.#lastShortened
  }

  sequences(): Uint32Array {
    return this.#session.sequences()
  }

  stop(): void {
    this.#session.detach()
  }

  [Symbol.dispose](): void {
    if (this.#counters !== undefined) return
    this.#lastShortened = this.shortened
    this.#counters = this.counters()
    this.#session.close()
  }
}

/** The kernel cannot have a set of tracked processes. */
class TrackingError extends Error {}

/** Programs cannot leave out what rules decided. */
class RulingError extends Error {}

type Parts = [ProbeSession, Answers, ReadonlyMap<string, readonly Probe[]>]

/** Opens a session, and attaches the facts. */
function openSession(options: EbpfBackendOptions): Parts {
  const { sources, ringSizeBytes, tracking, ruling, shares, recordShares, flavors, loop } = options
  const variants = new Variants(tracking, ruling)
  const facts = options.facts.map((fact) => variants.of(fact))
  const btf = options.btf === undefined ? kernelBtf() : btfOf(options.btf)
  const inherit = tracking === undefined ? [] : [inheritProbe()]
  const probes = [...inherit, ...facts.flatMap(({ rungs }) => probesOf(rungs).flat())]
  const session = ProbeSession.open(
    {
      btf,
      ringSizeBytes,
      fairUsers: true,
      ...(shares === undefined ? {} : { shares }),
      ...(recordShares === undefined ? {} : { recordShares }),
      ...(flavors === undefined ? {} : { flavors }),
      ...(loop === undefined ? {} : { loop }),
    },
    probes,
  )
  try {
    const tracked = tracking === undefined ? undefined : trackIn(session, inherit, tracking)
    const loader = new ProbeLoader(session, sources, variants)
    const answers = attachFacts(facts, 'ebpf', sources, (rung, { name }) => loader.load(rung, name))
    session.seal()
    if (tracked !== undefined) {
      tracked.set.verify()
      tracking?.useKernel(tracked.set)
      answers.attached.push(...tracked.attached)
      if (tracking?.mayLeaveOut === true)
        answers.attached.push({ fact: RULES_IN_KERNEL, hook: 'map/quark_tracked', flavor: 'direct' })
    }
    if (ruling !== undefined) {
      checkRuled(loader, variants, ruling)
      const refused = variants.refusedOf(loader.attached)
      const deciding = loader.attached.filter((probe) => variants.isDeciding(probe))
      if (deciding.length > 0) {
        const byEnds = deciding.filter((probe) => ruling.isByEnds(probe))
        ruling.useKernel(session, byEnds.length > 0)
        const maps = [
          ...(byEnds.length < deciding.length ? ['quark_decided'] : []),
          ...(byEnds.length > 0 ? ['quark_ends'] : []),
        ]
        for (const name of maps)
          answers.attached.push({ fact: RULES_IN_KERNEL, hook: `map/${name}`, flavor: 'direct' })
        answers.missing.push(...refused)
      } else ruling.problem = refused[0]?.reason
    }
    return [session, answers, loader.iterators]
  } catch (error) {
    session.close()
    throw error
  }
}

interface Tracked {
  readonly set: KernelSet
  readonly attached: readonly AttachedFact[]
}

/**
 * Makes and fills the set of tracked processes. Children inherit before it is filled, and it is full before any record is
 * written: nothing is missed in between.
 */
function trackIn(session: ProbeSession, inherit: readonly Probe[], tracking: Tracking): Tracked {
  try {
    const attached = inherit.map((probe) => {
      const { hook, flavor } = session.attach(probe)
      return { fact: FILTERS_IN_KERNEL, hook, flavor: nameOf(flavor) }
    })
    const set = new KernelSet(session)
    tracking.putInto(set)
    return { set, attached }
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
    throw new TrackingError(error.message, { cause: error })
  }
}

/**
 * What knows a process after it has changed, and left it in the map of decisions, would leave out what it should not.
 *
 * @throws {RulingError} when a program that has to take processes out of the map is not attached as such
 */
function checkRuled({ attached }: ProbeLoader, variants: Variants, { records }: Ruling): void {
  for (const probe of attached) {
    const { record } = probe
    if (record === undefined || !records.changes(record.type) || variants.isRuled(probe)) continue
    const refusal = variants.refused.find(({ fact }) => fact === refusedFact(probe))
    throw new RulingError(refusal?.reason ?? `the program ${probe.name} cannot end what was decided`)
  }
}

/** The programs of facts that ask the sets and maps of a session. */
class Variants {
  readonly #tracking: Tracking | undefined
  readonly #ruling: Ruling | undefined
  readonly #ruled = new Set<Probe>()
  readonly #deciding = new Set<Probe>()
  /** What the verifier refused of them. */
  readonly refused: MissingFact[] = []

  constructor(tracking: Tracking | undefined, ruling: Ruling | undefined) {
    this.#tracking = tracking
    this.#ruling = ruling
  }

  /** A fact with those programs; where rules have a say, the ones that do not ask for that are the next rung. */
  of(fact: Fact): Fact {
    const rungs = fact.rungs.flatMap((rung): Rung[] => {
      if (rung.by !== 'ebpf') return [rung]
      const plain = rung.probes.map((probe) => this.#asking(probe))
      const ruled = rung.probes.map((probe) => this.#ruledOf(probe))
      const hasRules = ruled.some((probe) => this.#ruled.has(probe))
      return (hasRules ? [ruled, plain] : [plain]).map((probes) => ({ ...rung, probes }))
    })
    return { ...fact, rungs }
  }

  #asking(probe: Probe): Probe {
    return this.#tracking === undefined ? probe : asking(probe, this.#tracking.isOnly)
  }

  #ruledOf(probe: Probe): Probe {
    const ruling = this.#ruling
    if (ruling === undefined) return this.#asking(probe)
    const ended = ruling.changing(probe)
    const asked = this.#asking(ended)
    const ruled = ruling.deciding(asked)
    if (ruled !== asked) this.#deciding.add(ruled)
    if (ruled !== asked || ended !== probe) this.#ruled.add(ruled)
    return ruled
  }

  /** Whether a program does something for rules. */
  isRuled(probe: Probe): boolean {
    return this.#ruled.has(probe)
  }

  /** Whether a program leaves out what rules decided. */
  isDeciding(probe: Probe): boolean {
    return this.#deciding.has(probe)
  }

  /** What of `refused` is done by programs that do not ask. */
  refusedOf(attached: readonly Probe[]): MissingFact[] {
    const plain = attached.filter((probe) => !this.#ruled.has(probe)).map((probe) => refusedFact(probe))
    return this.refused.filter(({ fact }) => plain.includes(fact))
  }

  /** A program could not be loaded: there may be one that asks less. */
  noteRefusal(probe: Probe, { message }: EbpfError): void {
    if (!this.#ruled.has(probe)) return
    this.refused.push({ fact: refusedFact(probe), reason: message })
  }
}

/** The name of what a program does not do for rules, in `Capabilities`. */
function refusedFact(probe: Probe): string {
  return `${RULES_IN_KERNEL}.${probe.record?.name ?? probe.name}`
}

/** The BTF in a file: the kernel checks programs against types by their ids, which only real BTF has. */
function btfOf(path: string): Btf {
  const { btf, isTable } = openKernelTypes(path)
  if (isTable) throw new BtfError(`Cannot load programs by the offset table "${path}": they need BTF itself`)
  return btf
}

/**
 * Why the kernel refuses to hook functions, if it does. A program of two instructions finds it out; a whole probe takes
 * milliseconds to generate and load before attaching it fails.
 */
function hookProblem(kind: Probe['hook']['kind']): EbpfError | undefined {
  if (kind !== 'fentry' && kind !== 'fexit' && kind !== 'kprobe' && kind !== 'kretprobe') return undefined
  const { reason } = probeFeature(kind)
  if (!(reason instanceof EbpfError)) return undefined
  return reason.code === 'ERR_EBPF_PERMISSION' || reason.code === 'ERR_EBPF_NOT_SUPPORTED'
    ? reason
    : undefined
}

/** Whether a program or its maps were refused, and not its hook: another program may be loaded there. */
function isOfProgram(error: unknown): error is EbpfError {
  if (error instanceof KernelError) return error.syscall === 'bpf(BPF_MAP_CREATE)'
  return error instanceof BuildError || error instanceof VerifierError
}

/** Loads the probes of rungs. */
class ProbeLoader {
  readonly #session: ProbeSession
  readonly #sources: Sources
  /**
   * Hooks that the kernel refused: they are not tried again for another rung or fact. What is wrong with one program says
   * nothing of others at the same hook.
   */
  readonly #refused = new Map<string, EbpfError>()
  /** The iterators that were attached, by their facts. */
  readonly iterators = new Map<string, readonly Probe[]>()
  /** All probes that are attached. */
  readonly attached: Probe[] = []
  readonly #variants: Variants

  constructor(session: ProbeSession, sources: Sources, variants: Variants) {
    this.#session = session
    this.#sources = sources
    this.#variants = variants
  }

  load({ probes, lacks = [], reader, isWhole }: EbpfRung, fact: string): LoadedRung {
    const loaded = probes.map((probe) => this.#loadProbe(probe))
    return {
      attach: () => {
        const attached = this.#attach(loaded)
        this.attached.push(...probes)
        const iterators = probes.filter(({ hook }) => hook.kind === 'iterator')
        if (iterators.length > 0) this.iterators.set(fact, iterators)
        if (reader !== undefined) this.#sources.open((context) => reader.open(context, mapsOf(this.#session)))
        return { ...attached, lacks, ...(isWhole === undefined ? {} : { isWhole }) }
      },
    }
  }

  #loadProbe(probe: Probe): LoadedProbe {
    const { kind, target } = probe.hook
    const hook = `${kind}/${target}`
    const known = this.#refused.get(hook)
    if (known !== undefined) throw known
    try {
      const problem = hookProblem(kind)
      if (problem !== undefined) throw problem
      return this.#session.load(probe)
    } catch (error) {
      if (isOfProgram(error)) this.#variants.noteRefusal(probe, error)
      else if (error instanceof EbpfError) this.#refused.set(hook, error)
      throw error
    }
  }

  #attach(loaded: readonly LoadedProbe[]): AttachedRung {
    const running: AttachedProbe[] = []
    try {
      for (const probe of loaded) running.push(probe.attach())
    } catch (error) {
      for (const probe of running) this.#session.detachProbe(probe)
      throw error
    }
    return {
      hooks: running.map(({ hook, flavor }) => ({
        hook,
        flavor: nameOf(flavor),
      })),
      missing: running.flatMap(({ missing }) => missing),
    }
  }
}

/** The maps of a session, as far as its programs use them. */
function mapsOf(session: ProbeSession): Maps {
  return {
    map: (declared) => {
      try {
        return session.map(declared)
      } catch (error) {
        if (error instanceof RangeError) return undefined
        throw error
      }
    },
  }
}

/** How programs of a flavour read, for `Capabilities`. */
function nameOf(flavor: AttachedProbe['flavor']): string {
  return flavor === 'direct' ? 'direct' : 'probe_read'
}
