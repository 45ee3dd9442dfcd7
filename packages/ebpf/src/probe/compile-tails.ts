/** The variable parts of one record: what each needs to be loaded, and which code writes it on this kernel. */

import {
  type Assembler,
  BPF_FUNC_probe_read_kernel_str,
  BPF_FUNC_probe_read_user_str,
  R9,
} from '../asm/index.js'
import type { MissingField, Target } from './compile.js'
import { isTail } from './fields.js'
import type { RecordLayout, TailField } from './layout.js'
import { TAIL_FAILED } from './layout.js'
import type { Destination, Flavor, LoadTree } from './load-tree.js'
import { pathOffsets } from './path-offsets.js'
import { type ResolvedExpr, type Resolver, Unresolved } from './resolve.js'
import { RECORD_OFFSET } from './scratch.js'
import {
  emitPath,
  emitPathCallback,
  emitString,
  emitUserBytes,
  emitWords,
  type PathOffsets,
  type TailFrame,
} from './tails.js'
import type { Values } from './values.js'
import { findWindow } from './window.js'
import { emitWindowString } from './window-string.js'

/** A number that is computed from what was loaded, and where it goes. */
export interface Computed extends Destination {
  readonly expr: ResolvedExpr
}

/** What the tails share with the rest of their program. */
export interface TailsOptions {
  readonly asm: Assembler
  readonly layout: RecordLayout
  readonly target: Target
  readonly flavor: Flavor
  /** Type id of bpf_rdonly_cast, if the kernel has it. */
  readonly castId: number | undefined
  readonly resolver: Resolver
  readonly values: Values
  /** Gets the tails that this kernel cannot supply. */
  readonly missing: MissingField[]
}

export class Tails {
  readonly #options: TailsOptions
  readonly #frame: TailFrame
  #hasPath = false

  constructor(options: TailsOptions) {
    this.#options = options
    this.#frame = tailFrame(options)
  }

  /** Temporaries with the tail's inputs, or undefined when the kernel lacks one of them. */
  prepare(tail: TailField, tree: LoadTree, computed: Computed[]): number[] | undefined {
    if (!isTail(tail.spec)) return undefined
    if (tail.maxBytes === 0) return undefined
    const refusal = this.#refusal(tail)
    if (refusal !== undefined) return this.#miss(tail, refusal)
    const { resolver, values } = this.#options
    const slots: number[] = []
    for (const input of tail.spec.inputs) {
      const expr = resolver.expr(input)
      if (expr instanceof Unresolved) return this.#miss(tail, expr)
      const slot = values.temporary()
      slots.push(slot)
      if (expr.kind === 'load') {
        tree.add(expr.path, { area: 'slot', offset: slot, sizeBytes: 8 })
      } else {
        values.prepare(expr, tree)
        computed.push({ area: 'slot', offset: slot, sizeBytes: 8, expr })
      }
    }
    return slots
  }

  /** Appends a tail to the record; `before` is the most that all tails in front of it can take. */
  emit(tail: TailField, inputs: number[] | undefined, before: number): void {
    const { asm, target } = this.#options
    if (inputs === undefined || !isTail(tail.spec)) {
      asm.storeImm(4, R9, RECORD_OFFSET + tail.offset, TAIL_FAILED)
      return
    }
    const frame = this.#frame
    const [first = 0, second = 0, third = 0, fourth = 0] = inputs
    switch (tail.kind) {
      case 'path':
        this.#hasPath = true
        emitPath(
          frame,
          tail,
          { dentry: first, mount: second, rootDentry: third, rootMount: fourth },
          pathOffsets(target.btf) as PathOffsets,
        )
        return
      case 'userBytes':
        emitUserBytes(frame, tail, before, first, second)
        return
      case 'kernelString':
        if (target.probeRead || frame.window === undefined) {
          emitString(frame, tail, before, first, BPF_FUNC_probe_read_kernel_str)
        } else {
          emitWindowString(frame, tail, { before, address: first, window: frame.window })
        }
        return
      case 'userString':
        emitString(frame, tail, before, first, BPF_FUNC_probe_read_user_str)
        return
      case 'words':
        emitWords(frame, tail, before, first, second, tail.spec.elementBytes ?? 8)
        return
    }
  }

  /** Functions that the tails call; behind the program. The verifier refuses one that nothing calls. */
  emitFunctions(): void {
    const { btf, loop } = this.#options.target
    if (this.#hasPath && loop === 'helper') emitPathCallback(this.#frame, pathOffsets(btf) as PathOffsets)
  }

  #miss({ name }: TailField, { reason }: Unresolved): undefined {
    this.#options.missing.push({ field: name, reason })
  }

  /** Why a tail cannot be had on this kernel. */
  #refusal({ kind, maxBytes }: TailField): Unresolved | undefined {
    const { flavor, target } = this.#options
    const offsets = kind === 'path' ? pathOffsets(target.btf) : undefined
    if (offsets instanceof Unresolved) return offsets
    if (target.probeRead || kind === 'userBytes' || kind === 'userString') return undefined
    const isWindow = flavor === 'direct' && this.#frame.window !== undefined
    if (isWindow && (kind === 'path' || (kind === 'kernelString' && maxBytes >= 8))) return undefined
    return new Unresolved('this kernel refuses bpf_probe_read_kernel (lockdown=confidentiality)')
  }
}

function tailFrame({ asm, layout, target, flavor, castId }: TailsOptions): TailFrame {
  let before = 0
  let maxCursorBeforePath = 0
  for (const tail of layout.tails) {
    if (tail.kind === 'path') maxCursorBeforePath = before
    before += tail.maxBytes
  }
  return {
    asm,
    // A walk goes through addresses that the verifier knows nothing of; before 6.2 it cannot be told.
    flavor: castId === undefined ? 'probeRead' : flavor,
    loop: target.loop,
    castId: castId ?? 0,
    window: castId === undefined ? undefined : findWindow(target.btf),
    fixedSizeBytes: layout.fixedSizeBytes,
    maxCursorBeforePath,
  }
}
