/** Compiles the probes of a session for this kernel, and loads each in the first flavour that the kernel accepts. */

import { type AssembledCode, resolveMaps } from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError, NotSupportedError } from '../errors.js'
import { probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import { isPartlyInlined } from '../kernel/symbols.js'
import { standInOf } from '../probe/compile.js'
import {
  type Assignment,
  type CompiledProbe,
  compileProbe,
  type Flavor,
  type Hook,
  type Probe,
  type Target,
} from '../probe/index.js'
import { mapsOf } from '../probe/probe.js'
import { COUNTERS, MAX_NOTES } from '../probe/scratch.js'
import { Program } from '../program/program.js'
import { VerifierError } from '../sys/errors.js'
import { kernelAtLeast } from '../sys/platform.js'
import { canShare, type Reservation, SessionCalls } from './dispatch.js'
import { flavorsOf, programKind } from './hooks.js'
import type { SessionLanes } from './lanes.js'
import type { SessionMaps } from './maps.js'
import type { SessionOptions } from './options.js'
import type { SessionRings } from './rings.js'
import type { SessionShares } from './shares.js'

const FLAVORS: readonly Flavor[] = ['direct', 'probeRead']

/** What programs of a session share. */
interface Resources {
  readonly maps: SessionMaps
  readonly lanes: SessionLanes
  readonly shares: SessionShares | undefined
  readonly cpuRings: SessionRings | undefined
}

/** The programs of a probe, which are not attached yet. */
export interface LoadedPrograms {
  readonly compiled: CompiledProbe
  readonly flavor: Flavor
  readonly program: Program
  /** Works where the kernel skipped the program (probe/stand-in.ts). */
  readonly standIn: Program | undefined
  /** What the program is called by, if it is not attached to its tracepoint itself. */
  readonly reservation: Reservation | undefined
}

export class SessionLoader {
  readonly calls: SessionCalls
  /** Which counter each record type has. */
  readonly counters = new Map<number, number>()
  readonly #options: Omit<SessionOptions, 'btf'>
  readonly #resources: Resources
  /** All that were loaded, whether or not they run. */
  readonly #programs: Program[] = []
  #btf: Btf | undefined
  #notes = 0

  constructor({ btf, ...options }: SessionOptions, resources: Resources) {
    this.calls = new SessionCalls(resources.maps)
    this.#options = options
    this.#resources = resources
    this.#btf = btf
  }

  /** See `ProbeSession.load`. */
  load(probe: Probe): LoadedPrograms {
    const { rulesOutInlining, kind, target: name } = probe.hook
    if (rulesOutInlining === true && isPartlyInlined(name)) {
      throw new NotSupportedError(
        `the ${kind} ${name}: the compiler has inlined the beginning of it into its callers, which pass it by (/proc/kallsyms has ${name}.part)`,
      )
    }
    const flavors = flavorsOf(probe.hook, this.#options.flavors ?? FLAVORS)
    const mayShare =
      this.#options.shareCalls !== false && !this.calls.isFull && canShare(probe.hook, this.#target('direct'))
    const shared = mayShare ? flavors.map((flavor) => ({ flavor, shares: true })) : []
    let assignment: Assignment | undefined
    let note: number | undefined
    let refusal: VerifierError | undefined
    for (const { flavor, shares } of [...shared, ...flavors.map((flavor) => ({ flavor, shares: false }))]) {
      try {
        const target = this.#target(flavor)
        assignment ??= this.#assign(probe)
        if (shares) return this.#loadShared(probe, target, assignment)
        if (standInOf(probe, target) !== undefined) note ??= this.#takeNote(probe)
        return this.#loadAlone(probe, target, { ...assignment, note: note ?? 0 })
      } catch (error) {
        // Only the verifier's verdict depends on how memory is read.
        if (!(error instanceof VerifierError)) throw error
        refusal ??= error
      }
    }
    throw refusal ?? new BuildError(`Cannot load probe "${probe.name}": no flavour to try`)
  }

  /** Behind the dispatcher of its hook, which has a stand-in where one is needed. */
  #loadShared(probe: Probe, target: Target, assignment: Assignment): LoadedPrograms {
    const { flavor } = target
    const { hook } = probe
    const reservation = this.calls.reserve(
      hook,
      target,
      (code) => this.#loadCode(hook.target, hook, code, flavor),
      () => this.#takeNote(probe),
    )
    const compiled = compileProbe(probe, target, { ...assignment, next: reservation.next.spec.name })
    return { compiled, flavor, program: this.#load(compiled, flavor), standIn: undefined, reservation }
  }

  #loadAlone(probe: Probe, target: Target, assignment: Assignment): LoadedPrograms {
    const { flavor } = target
    const compiled = compileProbe(probe, target, assignment)
    const program = this.#load(compiled, flavor)
    const standIn =
      standInOf(probe, target) === undefined
        ? undefined
        : this.#load(compileProbe(probe, target, { ...assignment, role: 'standIn' }), flavor)
    return { compiled, flavor, program, standIn, reservation: undefined }
  }

  /** Assigns a probe its parts of the scratch, but for a note: what that is for is known when its programs are loaded. */
  #assign(probe: Probe): Assignment {
    const { record } = probe
    if (record === undefined) return { role: 'first', counter: 0, share: undefined, note: 0, next: undefined }
    const counter = this.counters.get(record.type) ?? this.counters.size
    if (counter >= COUNTERS) {
      throw new BuildError(
        `Cannot load probe "${probe.name}": a session has at most ${COUNTERS} types of records`,
      )
    }
    this.counters.set(record.type, counter)
    return {
      role: 'first',
      counter,
      share: this.#resources.shares?.shareOf(record.type),
      note: 0,
      next: undefined,
    }
  }

  #takeNote(probe: Probe): number {
    if (this.#notes < MAX_NOTES) return this.#notes++
    throw new BuildError(`Cannot load probe "${probe.name}": a session has at most ${MAX_NOTES} tracepoints`)
  }

  /** Frees the BTF: no more probes can be loaded. */
  seal(): void {
    this.#btf = undefined
  }

  /** Closes all programs that were loaded. */
  close(): void {
    for (const program of this.#programs) program.close()
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
      cpus: this.#resources.lanes.cpus,
      scratch: this.#resources.lanes.layout,
      ringSizeBytes: this.#options.ringSizeBytes,
      cpuRings: this.#resources.cpuRings?.layout,
      preemptible: preemptible ?? kernelAtLeast('6.19'),
      // Found out by those who ask: it can take a system call or some.
      get kernelPreempts() {
        return preempts ?? kernelPreempts()
      },
      probeRead: probeRead ?? probeFeature('probeReadKernel').supported,
      fairUsers: this.#options.fairUsers === true,
    }
  }

  #load({ probe, code, declaration }: CompiledProbe, flavor: Flavor): Program {
    for (const map of mapsOf(probe)) this.#resources.maps.declare(map)
    return this.#loadCode(probe.name, probe.hook, code, flavor, declaration)
  }

  /** Loads a program, which the session closes. */
  #loadCode(name: string, hook: Hook, code: AssembledCode, flavor: Flavor, declaration?: string): Program {
    const program = Program.load({
      name,
      code: resolveMaps(code, (map) => this.#resources.maps.fdOf(map)),
      ...(declaration === undefined ? {} : { declaration }),
      functions: code.functions,
      ...programKind(hook, flavor, this.#openBtf()),
    })
    this.#programs.push(program)
    return program
  }
}
