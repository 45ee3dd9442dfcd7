/** One declaration → one program: the frame around loads and tails. */

import {
  Assembler,
  type AssembledCode,
  BPF_FUNC_ktime_get_boot_ns,
  BPF_FUNC_tail_call,
  R0,
  R1,
  R2,
  R3,
  R6,
  R9,
  R10,
  type Register,
} from '../asm/index.js'
import { BuildError, NotSupportedError } from '../errors.js'
import { emitArgument } from './hooks/arguments.js'
import { callNumber, type Hook, type HookType, hookType, runFilter } from './hooks/index.js'
import type { ExprNode, MapEffect } from './nodes.js'
import { HEADER_SEQ, HEADER_TIME, HEADER_TYPE, type RecordLayout } from './record.js'
import { emitEnter, emitLeave } from './levels.js'
import { type Flavor, type LoadFrame, LoadTree } from './load-tree.js'
import { runsInTask } from './contexts.js'
import { emitEffects } from './effects.js'
import type { ScarceTail } from './fairness.js'
import { emitToReader } from './output-reader.js'
import { emitOutput } from './output.js'
import { describeProbe, Lack, mapsOf, type Probe, probe } from './probe.js'
import { presentArguments } from './prototype.js'
import { recordNumbers } from './numbers.js'
import { type ResolvedExpr, Resolver, Unresolved } from './resolve.js'
import { NOTE_BYTES, notesOffset, RECORD_OFFSET, SLOT_SEQ, TEMP_CURSOR } from './scratch.js'
import type { HelperSite } from './calls.js'
import { contextSlot } from './stack.js'
import { type Computed, Tails } from './compile-tails.js'
import type { Assignment, MissingField, Target } from './target.js'
import { Values } from './values.js'
import { findWindow } from './window.js'
import { emitPart, standInTypes, type StandInTypes } from './stand-in.js'

const FIRST_OF_ALL: Assignment = { role: 'first', counter: 0, share: undefined, note: 0, next: undefined }

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
  const resolver = new Resolver(target.btf, probe.hook, present, readsAddresses(target))
  return new Compiler(probe, target, resolver).compile({ ...FIRST_OF_ALL, ...assignment })
}

/** What the program of a probe needs to have a stand-in (stand-in.ts); `undefined` when it has none. */
export function standInOf({ hook }: Probe, target: Target): StandInTypes | undefined {
  const type = hookType(hook)
  return type.runsFirst !== undefined && isPreempted(type, target) ? standInTypes(target.btf) : undefined
}

/**
 * What the dispatcher of a hook needs to have a stand-in: what interrupts it, or runs while its task is preempted, would
 * lose all that its probes want.
 */
export function dispatcherStandInOf(
  hook: Hook,
  { btf, flavor, preemptible }: Target,
): StandInTypes | undefined {
  const { levels, preemption } = hookType(hook)
  if (preemption !== 'recent') return undefined
  const mayNest = (hook.levels ?? levels).length > 1 && flavor === 'direct'
  return mayNest || preemptible ? standInTypes(btf) : undefined
}

/** Whether a task can be preempted while such a program runs for it. */
function isPreempted({ preemption }: HookType, target: Target): boolean {
  return preemption === 'always' ? target.kernelPreempts : preemption === 'recent' && target.preemptible
}

/** The kfuncs that keep a program from being preempted, where that can happen to it. */
function preemptionOf(type: HookType, target: Target): Preemption | undefined {
  if (!isPreempted(type, target)) return undefined
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

/** Whether a program can read memory at an address that it computes. */
function readsAddresses({ btf, probeRead }: Target): boolean {
  return probeRead || btf.findFunction('bpf_rdonly_cast') !== undefined
}

/** What is cut of a probe's record while the ring is scarce; undefined if its program cannot name a user. */
function scarceTailsOf({ hook, tails }: Probe, site: HelperSite): readonly ScarceTail[] | undefined {
  if (!runsInTask(hook) || site !== 'tracing') return undefined
  return tails.flatMap(({ field: { offset, type }, maxBytes }) =>
    type.scarceBytes === undefined || maxBytes <= type.scarceBytes
      ? []
      : [{ offset, scarceBytes: type.scarceBytes }],
  )
}

/** Which helpers a program may call. */
function siteOf({ programs }: HookType, flavor: Flavor): HelperSite {
  const type = programs[flavor]?.type
  if (type === 'BPF_PROG_TYPE_SOCKET_FILTER' || type === 'BPF_PROG_TYPE_CGROUP_SKB') return 'packet'
  return type?.startsWith('BPF_PROG_TYPE_CGROUP_') === true ? 'socket' : 'tracing'
}

/**
 * What a hook wants: numbers of system calls, or values of an argument.
 *
 * @throws {NotSupportedError} when the architecture has none of the calls
 */
export function wantedNumbers({ calls = [], among }: Hook, { architecture }: Target): readonly number[] {
  if (among !== undefined) return among.values
  const numbers = calls.map((name) => callNumber(name, architecture)).filter((number) => number !== undefined)
  if (numbers.length > 0) return numbers
  throw new NotSupportedError(`the system calls ${calls.join(', ')} on ${architecture}`)
}

/**
 * Generates the dispatcher of a hook: it tail-calls the programs of probes that want the run, by its number.
 *
 * @param first the map that has them
 * @param assignment its role and note, where `dispatcherStandInOf` says that it has a stand-in
 */
export function compileDispatcher(
  hook: Hook,
  target: Target,
  first: string,
  assignment: Pick<Assignment, 'role' | 'note'>,
): AssembledCode {
  const name = `${hook.target}_dispatch`.slice(0, 15)
  const resolver = new Resolver(target.btf, hook, presentArguments(hook, target.btf), readsAddresses(target))
  return new Compiler(
    probe({ name, hook }, () => ({})),
    target,
    resolver,
  ).compileDispatcher(first, assignment)
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
  /** Where to continue when the program gives up: `out` before it owns a scratch slot, later `leave` or `end`. */
  #escape: 'out' | 'leave' | 'end' = 'end'
  readonly #preemption: Preemption | undefined
  readonly #contextSlot: number
  readonly #site: HelperSite
  #isOnStack = false

  constructor(probe: Probe, target: Target, resolver: Resolver) {
    this.#probe = probe
    this.#target = target
    this.#resolver = resolver
    this.#hookType = hookType(probe.hook)
    this.flavor = target.flavor
    this.castId = target.btf.findFunction('bpf_rdonly_cast')?.id
    // On x86-64 the kernel guards each load.
    this.faultsOnNull = target.architecture === 'arm64'
    const keyBytes = Math.max(8, ...mapsOf(probe).map(({ key }) => key.sizeBytes))
    this.#contextSlot = contextSlot(keyBytes)
    this.#site = siteOf(this.#hookType, this.flavor)
    this.#values = new Values({
      probe: probe.name,
      frame: this,
      window: findWindow(target.btf),
      site: this.#site,
      keyBytes,
    })
    this.#tails = new Tails({
      asm: this.asm,
      probe,
      target,
      flavor: this.flavor,
      site: this.#site,
      contextSlot: this.#contextSlot,
      castId: this.castId,
      resolver,
      values: this.#values,
      missing: this.#missing,
    })
    this.#preemption = preemptionOf(this.#hookType, target)
  }

  compile(assignment: Assignment): CompiledProbe {
    const { asm } = this
    const { output } = this.#hookType
    asm.mov(R6, R1)
    // Walks of paths take the register.
    const isNeededLater =
      output === 'reader' ||
      assignment.next !== undefined ||
      this.#tails.needContext ||
      this.#probe.finally.length > 0
    if (isNeededLater) asm.store(8, R10, this.#contextSlot, R6)
    // First: until preemption is disabled, the kernel skips runs of this program by other tasks on this CPU.
    if (this.#preemption !== undefined) asm.callKfunc('bpf_preempt_disable', this.#preemption.disable)
    // Behind a dispatcher it is that which has a stand-in.
    if (assignment.next === undefined) this.#emitPart(assignment, standInOf(this.#probe, this.#target))
    this.#emitFilter(assignment.next !== undefined)
    this.#emitCondition(this.#probe.given, 'end')
    this.#emitCondition(this.#probe.when, 'out')
    emitEnter(asm, this.#probe.maxSizeBytes, this.#target)
    this.#values.beginInScratch()
    this.#escape = 'leave'
    this.#emitEffects(this.#probe.effects)
    const { record, recordWhen, maxSizeBytes } = this.#probe
    if (record !== undefined) {
      if (recordWhen !== undefined) {
        this.#values.emitUnless(this.#resolved(recordWhen, 'condition of the record'), 'leave')
      }
      this.#emitHeader(record)
      this.#emitFields()
      const outgoing = { ...record, maxSizeBytes, scarceTails: scarceTailsOf(this.#probe, this.#site) }
      if (output === 'ring') emitOutput(asm, outgoing, this.#target, assignment)
      else emitToReader(asm.load(8, R6, R10, this.#contextSlot), outgoing, this.#target.btf)
    }
    asm.label('leave')
    emitLeave(asm, this.#probe.maxSizeBytes, this.#target)
    asm.label('out')
    this.#emitFinally()
    asm.label('end')
    if (this.#preemption !== undefined) asm.callKfunc('bpf_preempt_enable', this.#preemption.enable)
    if (assignment.next !== undefined) this.#emitNext(assignment.next)
    asm.movImm(R0, this.#hookType.exitValue).exit().emitAsides()
    this.#tails.emitFunctions()
    return {
      probe: this.#probe,
      code: asm.assemble(),
      missing: this.#missing,
      declaration: describeProbe(this.#probe),
    }
  }

  #emitPart({ role, note }: Pick<Assignment, 'role' | 'note'>, types: StandInTypes | undefined): void {
    const { cpus, scratch } = this.#target
    if (types === undefined) return
    emitPart(this.asm, { role, types, note: notesOffset(scratch) + note * NOTE_BYTES, cpus, scratch })
  }

  argument(dst: Register, index: number): void {
    const { btf, architecture } = this.#target
    const escape = this.#escape
    emitArgument(this.asm, dst, index, { hook: this.#probe.hook, btf, architecture, escape })
  }

  address(dst: Register, address: ResolvedExpr): void {
    this.#values.emitAddress(dst, address)
  }

  /** Continues only for the runs that the probe wants; a dispatcher has checked their number already. */
  #emitFilter(isDispatched: boolean): void {
    const filter = runFilter(this.#probe.hook)
    if (filter === undefined) return
    this.#beginOnStack()
    if (!isDispatched) {
      const value = this.#resolved(filter.number, 'number of a run')
      // Ascending, as sets are.
      const numbers = wantedNumbers(this.#probe.hook, this.#target).toSorted((a, b) => a - b)
      this.#values.emitUnless({ kind: 'oneOf', value, numbers: numbers.map(BigInt) }, 'end')
    }
    if (filter.isWanted !== undefined) {
      this.#values.emitUnless(this.#resolved(filter.isWanted, 'condition of a run'), 'end')
    }
  }

  /** Tail-calls the program that a map has for this run; falls through if it has none. */
  #emitNext(map: string): void {
    const filter = runFilter(this.#probe.hook)
    if (filter === undefined) throw new BuildError(`Cannot go on from a ${this.#hookType.kind}`)
    const { asm } = this
    asm.load(8, R6, R10, this.#contextSlot)
    this.#values.beginOnStack()
    this.#values.evaluate(this.#resolved(filter.number, 'number of a run'))
    asm.mov(R3, R0).mov(R1, R6).loadMap(R2, map).call(BPF_FUNC_tail_call)
  }

  /** The dispatcher that probes share at their tracepoint; it tail-calls through the map `first`. */
  compileDispatcher(first: string, assignment: Pick<Assignment, 'role' | 'note'>): AssembledCode {
    this.asm.mov(R6, R1).store(8, R10, this.#contextSlot, R6)
    this.#emitPart(assignment, dispatcherStandInOf(this.#probe.hook, this.#target))
    this.#emitNext(first)
    this.asm.label('end')
    return this.asm.movImm(R0, this.#hookType.exitValue).exit().emitAsides().assemble()
  }

  #emitFinally(): void {
    const effects = this.#probe.finally
    if (effects.length === 0) return
    this.#escape = 'end'
    this.asm.load(8, R6, R10, this.#contextSlot)
    this.#values.beginOnStack()
    this.#emitEffects(effects)
  }

  /**
   * Most runs of some hooks end here: the condition's temporaries are on the stack, so that such a run does not touch
   * the scratch.
   */
  #emitCondition(condition: ExprNode | undefined, otherwise: 'out' | 'end'): void {
    if (condition === undefined) return
    this.#escape = otherwise
    this.#beginOnStack()
    this.#values.emitUnless(this.#resolved(condition, 'condition'), otherwise)
  }

  #beginOnStack(): void {
    if (!this.#isOnStack) this.#values.beginOnStack()
    this.#isOnStack = true
  }

  #resolved(node: ExprNode, what: string): ResolvedExpr {
    const expr = this.#resolver.expr(node)
    if (!(expr instanceof Unresolved)) return expr
    throw new BuildError(`Cannot resolve the ${what} of probe "${this.#probe.name}": ${expr.reason}`)
  }

  #emitEffects(effects: readonly MapEffect[]): void {
    const { name: probe } = this.#probe
    emitEffects(effects, { probe, resolver: this.#resolver, values: this.#values })
  }

  #emitHeader({ type }: RecordLayout): void {
    const { asm } = this
    asm.storeImm(2, R9, RECORD_OFFSET + HEADER_TYPE, type)
    if (this.#hookType.output === 'ring') {
      // The sequence number advances also for a lost record, so a gap shows where records were lost.
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
      const words = expr instanceof Unresolved || expr instanceof Lack ? expr : recordNumbers(expr, field)
      if (words instanceof Unresolved || words instanceof Lack) {
        this.#missing.push({ field: field.name, reason: words.reason })
        for (let at = 0; at < sizeBytes; at += Math.min(sizeBytes, 8)) {
          this.asm.storeImm(Math.min(sizeBytes, 8) as 1 | 2 | 4 | 8, R9, RECORD_OFFSET + offset + at, 0)
        }
      } else if ('path' in expr) {
        tree.add(expr.path, { area: 'record', offset, sizeBytes })
      } else {
        for (const word of words) {
          this.#values.prepare(word.expr, tree)
          computed.push({ area: 'record', ...word })
        }
      }
    }
    const tails = filled.map((tail) => ({ tail, inputs: this.#tails.prepare(tail, tree, computed) }))
    this.#values.load(tree)
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
