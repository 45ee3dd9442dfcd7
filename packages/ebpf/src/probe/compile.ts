/** One declaration → one program: the frame around loads and tails. */

import {
  Assembler,
  type AssembledCode,
  BPF_FUNC_ktime_get_boot_ns,
  R0,
  R1,
  R6,
  R9,
  R10,
  type Register,
} from '../asm/index.js'
import { BuildError, NotSupportedError } from '../errors.js'
import { emitArgument } from './hooks/arguments.js'
import { callNumber, type HookType, hookType } from './hooks/index.js'
import type { ExprNode } from './expr.js'
import { HEADER_SEQ, HEADER_TIME, HEADER_TYPE, type RecordLayout } from './record.js'
import { emitEnter, emitLeave } from './levels.js'
import { type Flavor, type LoadFrame, LoadTree } from './load-tree.js'
import { emitLoads } from './loads.js'
import { emitToReader } from './output-reader.js'
import { emitOutput } from './output.js'
import { describeProbe, Lack, type Probe } from './probe.js'
import { presentArguments } from './prototype.js'
import { type ResolvedExpr, Resolver, Unresolved } from './resolve.js'
import { NOTE_BYTES, notesOffset, RECORD_OFFSET, SLOT_SEQ, TEMP_CURSOR } from './scratch.js'
import { type Computed, Tails } from './compile-tails.js'
import type { Assignment, MissingField, Target } from './target.js'
import { CONDITION_FRAME, CONDITION_TEMPORARIES, Values } from './values.js'
import { emitPart, standInTypes, type StandInTypes } from './stand-in.js'

const FIRST_OF_ALL: Assignment = { role: 'first', counter: 0, share: undefined, note: 0 }

export interface CompiledProbe {
  readonly probe: Probe
  readonly code: AssembledCode
  /** Fields that this kernel cannot supply, each with the reason. They are 0 in every record. */
  readonly missing: readonly MissingField[]
  readonly declaration: string
}

/**
 * Generates the program of a probe.
 *
 * @throws {PrototypeError} when the hook's prototype is not the declared one
 * @throws {BuildError} when the condition cannot be resolved, or the program cannot be encoded
 */
export function compileProbe(
  probe: Probe,
  target: Target,
  assignment: Partial<Assignment> = {},
): CompiledProbe {
  const present = presentArguments(probe.hook, target.btf)
  const resolver = new Resolver(target.btf, probe.hook, present)
  return new Compiler(probe, target, resolver).compile({ ...FIRST_OF_ALL, ...assignment })
}

/** What the program of a probe needs to have a stand-in (stand-in.ts); `undefined` when it has none. */
export function standInOf({ hook }: Probe, { btf, preemptible }: Target): StandInTypes | undefined {
  return preemptible && hookType(hook).preemption === 'recent' ? standInTypes(btf) : undefined
}

/** The kfuncs that keep a program from being preempted, where that can happen to it. */
function preemptionOf(type: HookType, target: Target): Preemption | undefined {
  const isPreemptible =
    type.preemption === 'always' ? target.kernelPreempts : type.preemption === 'recent' && target.preemptible
  if (!isPreemptible) return undefined
  const disable = target.btf.findFunction('bpf_preempt_disable')
  const enable = target.btf.findFunction('bpf_preempt_enable')
  if (disable !== undefined && enable !== undefined) return { disable: disable.id, enable: enable.id }
  throw new NotSupportedError(
    `${type.kind} without its programs being preempted (bpf_preempt_disable; booted with preempt=none or voluntary it needs none)`,
    '6.10',
  )
}

interface Preemption {
  readonly disable: number
  readonly enable: number
}

class Compiler implements LoadFrame {
  readonly asm = new Assembler()
  readonly flavor: Flavor
  readonly recordOffset = RECORD_OFFSET
  readonly castId: number | undefined
  readonly faultsOnNull: boolean
  readonly #probe: Probe
  readonly #target: Target
  readonly #resolver: Resolver
  readonly #missing: MissingField[] = []
  readonly #values: Values
  readonly #tails: Tails
  readonly #hookType: HookType
  /** Where to go on when nothing can be done: before the scratch belongs to the program, and then. */
  #escape: 'out' | 'leave' = 'out'
  readonly #preemption: Preemption | undefined

  constructor(probe: Probe, target: Target, resolver: Resolver) {
    this.#probe = probe
    this.#target = target
    this.#resolver = resolver
    this.#hookType = hookType(probe.hook)
    this.flavor = target.flavor
    this.castId = target.btf.findFunction('bpf_rdonly_cast')?.id
    // On x86-64 the kernel guards each load.
    this.faultsOnNull = target.architecture === 'arm64'
    this.#values = new Values(this.asm, probe.name)
    this.#tails = new Tails({
      asm: this.asm,
      probe,
      target,
      flavor: this.flavor,
      castId: this.castId,
      resolver,
      values: this.#values,
      missing: this.#missing,
    })
    this.#preemption = preemptionOf(this.#hookType, target)
  }

  compile(assignment: Assignment): CompiledProbe {
    const { asm } = this
    asm.mov(R6, R1)
    // First of all: whoever comes in between on this CPU finds the program running, and is skipped by the kernel.
    if (this.#preemption !== undefined) asm.callKfunc('bpf_preempt_disable', this.#preemption.disable)
    this.#emitPart(assignment)
    this.#emitFilter()
    this.#emitCondition()
    emitEnter(asm, this.#probe.maxSizeBytes, this.#target)
    this.#escape = 'leave'
    this.#emitEffects()
    const { record, maxSizeBytes } = this.#probe
    if (record !== undefined) {
      this.#emitHeader(record)
      this.#emitFields()
      const outgoing = { ...record, maxSizeBytes }
      if (this.#hookType.output === 'ring') emitOutput(asm, outgoing, this.#target, assignment)
      else emitToReader(asm, outgoing, this.#target.btf)
    }
    asm.label('leave')
    emitLeave(asm, this.#probe.maxSizeBytes, this.#target)
    asm.label('out')
    if (this.#preemption !== undefined) asm.callKfunc('bpf_preempt_enable', this.#preemption.enable)
    asm.movImm(R0, this.#hookType.exitValue).exit().emitAsides()
    this.#tails.emitFunctions()
    return {
      probe: this.#probe,
      code: asm.assemble(),
      missing: this.#missing,
      declaration: describeProbe(this.#probe),
    }
  }

  #emitPart({ role, note }: Assignment): void {
    const { cpus, scratch } = this.#target
    const types = standInOf(this.#probe, this.#target)
    if (types === undefined) return
    emitPart(this.asm, { role, types, note: notesOffset(scratch) + note * NOTE_BYTES, cpus, scratch })
  }

  argument(dst: Register, index: number): void {
    const { btf, architecture } = this.#target
    const escape = this.#escape
    emitArgument(this.asm, dst, index, { hook: this.#probe.hook, btf, architecture, escape })
  }

  /** Goes on only for the system calls that the probe wants. */
  #emitFilter(): void {
    const { calls: wanted = [] } = this.#probe.hook
    const { calls } = this.#hookType
    if (calls === undefined) return
    const { architecture } = this.#target
    const numbers = wanted
      .map((name) => callNumber(name, architecture))
      .filter((number) => number !== undefined)
    if (numbers.length === 0) {
      throw new NotSupportedError(`the system calls ${wanted.join(', ')} on ${architecture}`)
    }
    const found = this.asm.uniqueLabel('found')
    this.#emitValue(calls.number, 'number of a system call')
    // Anything but straight on is what the CPU does not expect, and most calls are others.
    for (const number of numbers) this.asm.jumpIfImm('==', R0, number, found)
    this.asm.jump('out').label(found)
    this.#emitValue(calls.isNative, 'architecture of a system call')
    this.asm.jumpIfImm('==', R0, 0, 'out')
  }

  /** R0 = a value, with its temporaries on the stack. */
  #emitValue(node: ExprNode, what: string): void {
    this.asm.mov(R9, R10).aluImm('add', R9, CONDITION_FRAME)
    const expr = this.#resolver.expr(node)
    if (expr instanceof Unresolved) {
      throw new BuildError(`Cannot resolve the ${what} for probe "${this.#probe.name}": ${expr.reason}`)
    }
    const tree = new LoadTree()
    this.#values.prepare(expr, tree)
    emitLoads(this, tree)
    this.#values.evaluate(expr)
  }

  /**
   * Most runs of some hooks end here: the condition's temporaries are on the stack, so that such a run does not touch
   * the scratch.
   */
  #emitCondition(): void {
    const { when } = this.#probe
    if (when === undefined) return
    this.asm.mov(R9, R10).aluImm('add', R9, CONDITION_FRAME)
    const expr = this.#resolver.expr(when)
    if (expr instanceof Unresolved) {
      throw new BuildError(`Cannot resolve the condition of probe "${this.#probe.name}": ${expr.reason}`)
    }
    const tree = new LoadTree()
    this.#values.prepare(expr, tree)
    emitLoads(this, tree)
    this.#values.emitUnless(expr, 'out')
    if (this.#values.mostTemporaries > CONDITION_TEMPORARIES) {
      throw new BuildError(`Cannot compile probe "${this.#probe.name}": its condition has too many values`)
    }
  }

  #emitEffects(): void {
    for (const effect of this.#probe.effects) {
      if (effect.kind === 'claim' && this.#isKnownTrue(effect.unless)) continue
      const tree = new LoadTree()
      const key = this.#resolved(effect.key, 'key')
      const value = effect.kind === 'store' ? this.#resolved(effect.value, 'value') : undefined
      this.#values.prepare(key, tree)
      if (value !== undefined) this.#values.prepare(value, tree)
      emitLoads(this, tree)
      if (effect.kind === 'claim') this.#values.emitClaim(effect.map, key, 'leave')
      else if (value === undefined) this.#values.emitRemove(effect.map, key)
      else this.#values.emitStore(effect.map, key, value)
    }
  }

  #isKnownTrue(node: ExprNode): boolean {
    const expr = this.#resolver.expr(node)
    return !(expr instanceof Unresolved) && expr.kind === 'constant' && expr.value !== 0
  }

  #resolved(node: ExprNode, what: string): ResolvedExpr {
    const expr = this.#resolver.expr(node)
    if (expr instanceof Unresolved) {
      throw new BuildError(
        `Cannot resolve the ${what} of a map in probe "${this.#probe.name}": ${expr.reason}`,
      )
    }
    return expr
  }

  #emitHeader({ type }: RecordLayout): void {
    const { asm } = this
    asm.storeImm(2, R9, RECORD_OFFSET + HEADER_TYPE, type)
    if (this.#hookType.output === 'ring') {
      // The number advances whether or not the record finds room: a gap is a loss, seen where it happened.
      asm.load(4, R1, R9, SLOT_SEQ).aluImm('add', R1, 1).store(4, R9, SLOT_SEQ, R1)
      asm.store(4, R9, RECORD_OFFSET + HEADER_SEQ, R1)
    } else {
      asm.storeImm(4, R9, RECORD_OFFSET + HEADER_SEQ, 0)
    }
    if (this.#probe.time === undefined) {
      asm.call(BPF_FUNC_ktime_get_boot_ns).store(8, R9, RECORD_OFFSET + HEADER_TIME, R0)
    }
  }

  #emitFields(): void {
    const { fixed, tails: filled } = this.#probe
    const tree = new LoadTree()
    const computed: Computed[] = []
    if (this.#probe.time !== undefined) this.#addTime(this.#probe.time, tree)
    for (const { field, value } of fixed) {
      const { offset } = field
      const { sizeBytes } = field.type
      const expr = value instanceof Lack ? value : this.#resolver.expr(value)
      if (expr instanceof Unresolved || expr instanceof Lack) {
        this.#missing.push({ field: field.name, reason: expr.reason })
        for (let at = 0; at < sizeBytes; at += Math.min(sizeBytes, 8)) {
          this.asm.storeImm(Math.min(sizeBytes, 8) as 1 | 2 | 4 | 8, R9, RECORD_OFFSET + offset + at, 0)
        }
      } else if (expr.kind === 'load') {
        tree.add(expr.path, { area: 'record', offset, sizeBytes })
      } else {
        this.#values.prepare(expr, tree)
        computed.push({ area: 'record', offset, sizeBytes, expr })
      }
    }
    const tails = filled.map((tail) => ({ tail, inputs: this.#tails.prepare(tail, tree, computed) }))
    emitLoads(this, tree)
    for (const { expr, area, offset, sizeBytes } of computed) {
      this.#values.evaluate(expr)
      this.asm.store(sizeBytes as 1 | 2 | 4 | 8, R9, area === 'record' ? RECORD_OFFSET + offset : offset, R0)
    }
    this.asm.storeImm(8, R9, TEMP_CURSOR, 0)
    let before = 0
    for (const { tail, inputs } of tails) {
      this.#tails.emit(tail, inputs, before)
      before += tail.maxBytes
    }
  }

  #addTime(time: ExprNode, tree: LoadTree): void {
    const expr = this.#resolver.expr(time)
    if (expr instanceof Unresolved || expr.kind !== 'load') {
      const reason = expr instanceof Unresolved ? expr.reason : 'it is not a path'
      throw new BuildError(`Cannot resolve the time of probe "${this.#probe.name}": ${reason}`)
    }
    tree.add(expr.path, { area: 'record', offset: HEADER_TIME, sizeBytes: 8 })
  }
}
