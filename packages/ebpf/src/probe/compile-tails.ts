/** The variable parts of one record: what each needs to be loaded, and which code writes it on this kernel. */

import { type Assembler, R9 } from '../asm/index.js'
import type { HelperSite } from './calls.js'
import type { Destination, Flavor, LoadTree } from './load-tree.js'
import { type FilledTail, Lack, type Probe } from './probe.js'
import { type ResolvedExpr, type Resolver, Unresolved } from './resolve.js'
import { RECORD_OFFSET } from './scratch.js'
import { TAIL_FAILED } from './tails/descriptor.js'
import type { TailFrame, TailPlace } from './tails/frame.js'
import type { TailWriter } from './tails/tail.js'
import type { MissingField, Target } from './target.js'
import type { Values } from './values.js'
import { findWindow } from './window.js'

/** A number that is computed from what was loaded, and where it goes. */
export interface Computed extends Destination {
  readonly expr: ResolvedExpr
}

/** What the tails share with the rest of their program. */
export interface TailsOptions {
  readonly asm: Assembler
  readonly probe: Probe
  readonly target: Target
  readonly flavor: Flavor
  readonly site: HelperSite
  /** Where the context waits, from R10 on. */
  readonly contextSlot: number
  /** Type id of bpf_rdonly_cast, if the kernel has it. */
  readonly castId: number | undefined
  readonly resolver: Resolver
  readonly values: Values
  /** Gets the tails that this kernel cannot supply. */
  readonly missing: MissingField[]
}

/** A tail that this kernel can supply, and the temporaries with its inputs. */
interface PreparedTail {
  readonly writer: TailWriter
  readonly inputs: readonly number[]
}

export class Tails {
  readonly #options: TailsOptions
  readonly #frame: TailFrame
  readonly #writers = new Set<TailWriter>()

  constructor(options: TailsOptions) {
    this.#options = options
    this.#frame = tailFrame(options)
  }

  /** Arranges for the tail's inputs to be loaded; undefined if this kernel cannot supply the tail. */
  prepare(tail: FilledTail, tree: LoadTree, computed: Computed[]): PreparedTail | undefined {
    const { source, maxBytes } = tail
    if (source instanceof Lack) return this.#miss(tail, source.reason)
    if (maxBytes === 0) return undefined
    const { writer } = source
    const refusal = writer.refusal?.(this.#frame, placeOf(tail, 0))
    if (refusal !== undefined) return this.#miss(tail, refusal)
    const { resolver, values } = this.#options
    const inputs: number[] = []
    for (const input of source.inputs) {
      const expr = resolver.expr(input)
      if (expr instanceof Unresolved) return this.#miss(tail, expr.reason)
      const slot = values.temporary()
      inputs.push(slot)
      if (expr.kind === 'load') {
        tree.add(expr.path, { area: 'slot', offset: slot, sizeBytes: 8 })
      } else {
        values.prepare(expr, tree)
        computed.push({ area: 'slot', offset: slot, sizeBytes: 8, expr })
      }
    }
    return { writer, inputs }
  }

  /** Whether some of them read the context, which must then wait in its slot. */
  get needContext(): boolean {
    return this.#options.probe.tails.some(
      ({ source }) => !(source instanceof Lack) && source.writer.needsContext,
    )
  }

  /** Appends a tail to the record; `before` is the most that all tails in front of it can take. */
  emit(tail: FilledTail, prepared: PreparedTail | undefined, before: number): void {
    if (prepared === undefined) {
      this.#options.asm.storeImm(4, R9, RECORD_OFFSET + tail.field.offset, TAIL_FAILED)
      return
    }
    this.#writers.add(prepared.writer)
    prepared.writer.emit(this.#frame, placeOf(tail, before), prepared.inputs)
  }

  /** Functions that the tails call; behind the program. The verifier refuses one that nothing calls. */
  emitFunctions(): void {
    for (const writer of this.#writers) writer.emitFunctions?.(this.#frame)
  }

  #miss({ field }: FilledTail, reason: string): undefined {
    this.#options.missing.push({ field: field.name, reason })
  }
}

function placeOf({ field, maxBytes }: FilledTail, before: number): TailPlace {
  const { offset, type } = field
  return { offset, maxBytes, before, elementBytes: type.elementBytes ?? 1 }
}

function tailFrame({ asm, probe, target, flavor, site, contextSlot, castId }: TailsOptions): TailFrame {
  let before = 0
  const maxBefore = new Map<string, number>()
  for (const { source, maxBytes } of probe.tails) {
    if (!(source instanceof Lack)) maxBefore.set(source.kind, before)
    before += maxBytes
  }
  const { btf, loop, probeRead } = target
  return {
    asm,
    site,
    contextSlot,
    btf,
    // A walk computes addresses whose type the verifier does not know; before 6.2 no cast can declare it.
    flavor: castId === undefined ? 'probeRead' : flavor,
    loop,
    probeRead,
    castId: castId ?? 0,
    window: castId === undefined ? undefined : findWindow(btf),
    fixedSizeBytes: probe.record?.fixedSizeBytes ?? 0,
    maxBefore,
  }
}
