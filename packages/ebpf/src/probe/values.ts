/** Numbers that are computed: the code that fetches what an expression consists of, and combines it. */

import {
  type Assembler,
  BPF_FUNC_map_lookup_elem,
  R0,
  R1,
  R2,
  R9,
  type JumpOp,
  R10,
  type Register,
} from '../asm/index.js'
import { BuildError } from '../errors.js'
import { emitBranch } from './branch.js'
import { emitHelper, emitMemory, emitPacket, type HelperSite } from './calls.js'
import { emitSignedLoad } from './load-number.js'
import { type LoadFrame, LoadTree } from './load-tree.js'
import { emitLoads } from './loads.js'
import { emitKey } from './map-code.js'
import { ALU, immediate, weightOf } from './computing.js'
import { type BinaryOp, isComparison } from './operators.js'
import {
  type Atom,
  inputsOf,
  isAtom,
  keyOf,
  lookupKey,
  type ResolvedExpr,
  type ResolvedLookup,
  type ResolvedPath,
} from './resolved.js'
import { conditionFrame, CONDITION_TEMPORARIES } from './stack.js'
import { END_OF_TEMPORARIES, FREE_TEMPORARY } from './scratch.js'
import { Temporaries } from './temporaries.js'
import type { Window } from './window.js'

/** Places reserved for operands that wait while others are computed. */
const WAITING = 6
/** Places that fetching everything of a record at once leaves to the inputs of tails. */
const FOR_TAILS = 40

/** What the code of expressions needs to know about its program. */
export interface ValuesOptions {
  readonly probe: string
  readonly frame: LoadFrame
  readonly window: Window | undefined
  readonly site: HelperSite
  /** Of the largest key of a map. */
  readonly keyBytes: number
}

/**
 * Evaluates expressions into R0. What was fetched stays in a temporary as long as there is room, so that equal loads
 * are one; operands wait in temporaries as well. R6 is the context; R0 to R5, R7 and R8 are used.
 */
export class Values {
  readonly asm: Assembler
  readonly keyBytes: number
  readonly #options: ValuesOptions
  #temporaries: Temporaries
  #isOnStack = false
  /** What `prepare` has promised for the next `load`. */
  readonly #pending = new Map<string, number>()
  /** Addresses of the structures that are being loaded from. */
  readonly #addresses = new Map<string, number>()

  constructor(options: ValuesOptions) {
    this.#options = options
    this.asm = options.frame.asm
    this.keyBytes = options.keyBytes
    this.#temporaries = new Temporaries(FREE_TEMPORARY, CONDITION_TEMPORARIES)
  }

  get temporaries(): Temporaries {
    return this.#temporaries
  }

  /** Points R9 to temporaries on the stack, which the callback of a walk shares; no value is known in them. */
  beginOnStack(): void {
    this.#isOnStack = true
    this.#temporaries = new Temporaries(FREE_TEMPORARY, CONDITION_TEMPORARIES)
    this.asm.mov(R9, R10).aluImm('add', R9, conditionFrame(this.keyBytes))
  }

  /** R9 is the scratch from here on; no value is known in its temporaries. */
  beginInScratch(): void {
    this.#isOnStack = false
    const count = (END_OF_TEMPORARIES - FREE_TEMPORARY) / 8
    this.#temporaries = new Temporaries(FREE_TEMPORARY, count)
  }

  /** Offset of a temporary that nothing else uses until it is given back, from R9 on. */
  temporary(): number {
    const place = this.#temporaries.take()
    if (place !== undefined) return place
    const { probe } = this.#options
    throw new BuildError(`Cannot compile probe "${probe}": more values than there are temporaries`)
  }

  giveBack(place: number): void {
    this.#temporaries.giveBack(place)
  }

  /** Adds the loads of an expression to a tree for which `load` is called later. */
  prepare(expr: ResolvedExpr, tree: LoadTree): void {
    for (const [key, { atom }] of this.#atomsOf([expr])) {
      if (atom.kind !== 'load' || atom.path.root.kind === 'address') continue
      if (this.#pending.has(key) || this.#temporaries.find(key) !== undefined) continue
      if (this.#temporaries.room <= FOR_TAILS) return
      const offset = this.temporary()
      this.#pending.set(key, offset)
      tree.add(atom.path, { area: 'slot', offset, sizeBytes: 8 })
    }
  }

  /** Emits the loads of a tree. */
  load(tree: LoadTree): void {
    const roots = [...tree.roots()].map(({ path }) => path)
    this.#loadFrom(roots, () => emitLoads(this.#options.frame, tree))
    for (const [key, place] of this.#pending) this.#temporaries.learn(key, place)
    this.#pending.clear()
  }

  /** `dst` = the address that a tree begins at; called while its loads are emitted. */
  emitAddress(dst: Register, address: ResolvedExpr): void {
    this.asm.load(8, dst, R9, this.#addressOf(keyOf(address)))
  }

  /** Forgets values that were looked up in maps, and values read at their addresses: maps have changed. */
  forgetLookups(): void {
    this.#temporaries.forget((key) => key.includes('['))
  }

  /** R0 = the value of an expression. */
  evaluate(expr: ResolvedExpr): void {
    this.fetch(expr)
    switch (expr.kind) {
      case 'constant':
        this.emitConstant(R0, expr.value)
        return
      case 'binary':
        this.#emitBinary(expr.op, expr.left, expr.right)
        return
      case 'oneOf':
        this.#emitTruth(expr)
        return
      case 'firstNonZero':
        this.#emitFirstNonZero(expr.choices)
        return
      case 'ifThen':
        this.#emitIfThen(expr.condition, expr.value)
        return
      default:
        this.asm.load(8, R0, R9, this.#placeOf(expr))
    }
  }

  /** `dst` = a word. */
  emitConstant(dst: Register, value: bigint): void {
    const imm = immediate(value)
    if (imm !== undefined) this.asm.movImm(dst, imm)
    else if (value <= 0xffff_ffffn) this.asm.movImm32(dst, Number(BigInt.asIntN(32, value)))
    else this.asm.movImm64(dst, value)
  }

  /** Jumps to `label` if an expression is 0; else falls through. Loads only what decides that. */
  emitUnless(expr: ResolvedExpr, label: string): void {
    emitBranch(this, expr, { label, when: false })
  }

  /** R0 = the left one; and the right one is the immediate that is returned, or R1. */
  emitOperands(left: ResolvedExpr, right: ResolvedExpr): number | undefined {
    const { asm } = this
    if (right.kind === 'constant') {
      this.evaluate(left)
      const imm = immediate(right.value)
      if (imm === undefined) this.emitConstant(R1, right.value)
      return imm
    }
    if (isAtom(right)) {
      this.evaluate(left)
      const place = this.#temporaries.find(keyOf(right))
      if (place !== undefined) {
        asm.load(8, R1, R9, place)
        return undefined
      }
      this.#emitWaiting(right, false)
      return undefined
    }
    // The one that needs more places goes first: what waits then takes few of them.
    const isLeftFirst = weightOf(left) > weightOf(right)
    const [first, second] = isLeftFirst ? [left, right] : [right, left]
    this.evaluate(first)
    this.#emitWaiting(second, !isLeftFirst)
    return undefined
  }

  /** Evaluates the other operand while R0 waits. */
  #emitWaiting(other: ResolvedExpr, isOtherLeft: boolean): void {
    const { asm } = this
    const waiting = this.temporary()
    asm.store(8, R9, waiting, R0)
    this.evaluate(other)
    if (isOtherLeft) asm.load(8, R1, R9, waiting)
    else asm.mov(R1, R0).load(8, R0, R9, waiting)
    this.giveBack(waiting)
  }

  #emitBinary(op: BinaryOp, left: ResolvedExpr, right: ResolvedExpr): void {
    const { asm } = this
    const imm = this.emitOperands(left, right)
    const alu = ALU[op]
    if (alu !== undefined) {
      if (imm === undefined) asm.alu(alu, R0, R1)
      else asm.aluImm(alu, R0, imm)
    } else if (isComparison(op)) {
      const yes = asm.uniqueLabel('yes')
      asm.mov(R2, R0).movImm(R0, 1)
      if (imm === undefined) asm.jumpIf(op as JumpOp, R2, R1, yes)
      else asm.jumpIfImm(op as JumpOp, R2, imm, yes)
      asm.movImm(R0, 0).label(yes)
    }
  }

  /** R0 = 1 if an expression is not 0, else 0. */
  #emitTruth(expr: ResolvedExpr): void {
    const { asm } = this
    const no = asm.uniqueLabel('no')
    const end = asm.uniqueLabel('end')
    this.emitUnless(expr, no)
    asm.movImm(R0, 1).jump(end).label(no).movImm(R0, 0).label(end)
    this.#temporaries.label(no, true)
  }

  #emitFirstNonZero(choices: readonly ResolvedExpr[]): void {
    const { asm } = this
    const found = asm.uniqueLabel('found')
    for (const choice of choices.slice(0, -1)) {
      this.evaluate(choice)
      asm.jumpIfImm('!=', R0, 0, found)
      this.#temporaries.jump(found)
    }
    for (const last of choices.slice(-1)) this.evaluate(last)
    asm.label(found)
    this.#temporaries.label(found, true)
  }

  #emitIfThen(condition: ResolvedExpr, value: ResolvedExpr): void {
    const { asm } = this
    const no = asm.uniqueLabel('no')
    const end = asm.uniqueLabel('end')
    this.emitUnless(condition, no)
    this.evaluate(value)
    asm.jump(end).label(no).movImm(R0, 0).label(end)
    this.#temporaries.label(no, true)
  }

  #placeOf(atom: Atom): number {
    const key = keyOf(atom)
    if (this.#temporaries.find(key) === undefined) this.#fetchAll([atom], new Set([key]))
    const place = this.#temporaries.find(key)
    if (place === undefined)
      throw new BuildError(`Cannot compile probe "${this.#options.probe}": no room for ${key}`)
    return place
  }

  /** Fetches what an expression consists of, if there is room for all of it at once. */
  fetch(expr: ResolvedExpr): void {
    const atoms = this.#atomsOf([expr])
    const missing = [...atoms].filter(([key]) => this.#temporaries.find(key) === undefined)
    if (missing.length === 0 || atoms.size + WAITING > this.#temporaries.room) return
    const wanted = new Set(atoms.keys())
    const depths = Math.max(...missing.map(([, { depth }]) => depth))
    for (let depth = 0; depth <= depths; depth += 1) {
      this.#fetchAll(
        missing.filter(([, found]) => found.depth === depth).map(([, { atom }]) => atom),
        wanted,
      )
    }
  }

  /** Fetches atoms, after those of their inputs that are in no temporary yet. */
  #fetchAll(atoms: readonly Atom[], wanted: ReadonlySet<string>): void {
    const loads = atoms.filter((atom) => atom.kind === 'load')
    if (loads.length > 0) {
      this.#loadFrom(
        loads.map(({ path }) => path),
        () => {
          const tree = new LoadTree()
          for (const atom of loads) {
            tree.add(atom.path, { area: 'slot', offset: this.#keep(keyOf(atom), wanted), sizeBytes: 8 })
          }
          emitLoads(this.#options.frame, tree)
        },
      )
    }
    const lookups = new Map<string, ResolvedLookup[]>()
    for (const atom of atoms) {
      if (atom.kind === 'load') continue
      if (atom.kind === 'lookup') {
        const key = lookupKey(atom)
        lookups.set(key, [...(lookups.get(key) ?? []), atom])
        continue
      }
      this.#emitCall(atom)
      this.asm.store(8, R9, this.#keep(keyOf(atom), wanted), R0)
    }
    for (const same of lookups.values()) this.#emitLookup(same, wanted)
  }

  /** R0 = the atom. */
  #emitCall(atom: Exclude<Atom, { kind: 'load' | 'lookup' }>): void {
    const { frame, window, site, probe } = this.#options
    switch (atom.kind) {
      case 'packet':
        if (site !== 'packet') {
          throw new BuildError(`Cannot read bytes of a packet in probe "${probe}": its program runs on none`)
        }
        emitPacket(this.asm, atom)
        return
      case 'helper':
        emitHelper(frame, atom, { site, probe })
        return
      case 'memory':
        this.evaluate(atom.address)
        emitMemory(frame, atom, window)
    }
  }

  /** What is wanted of one entry of a map, by one call. */
  #emitLookup(lookups: readonly ResolvedLookup[], wanted: ReadonlySet<string>): void {
    const { asm } = this
    const [first] = lookups
    if (first === undefined) return
    const end = asm.uniqueLabel('end')
    const absent = asm.uniqueLabel('absent')
    emitKey(this, first.map, first.key)
    const places = lookups.map((lookup) => this.#keep(keyOf(lookup), wanted))
    asm.call(BPF_FUNC_map_lookup_elem).jumpIfImm('==', R0, 0, absent)
    for (const [index, { gives }] of lookups.entries()) {
      if (gives === 'presence') asm.movImm(R1, 1)
      else emitSignedLoad(asm, R1, R0, gives)
      // Old verifiers know nothing of a negated number. What they knew would make this place unlike one with a zero, and
      // they would follow all of the program again for each look-up.
      if (this.#isOnStack && (gives === 'presence' || gives.sizeBytes < 8)) asm.neg(R1).neg(R1)
      asm.store(8, R9, places[index] ?? 0, R1)
    }
    asm.label(end)
    asm.aside(absent, () => {
      for (const place of places) asm.storeImm(8, R9, place, 0)
      asm.jump(end)
    })
  }

  #keep(key: string, wanted: ReadonlySet<string>): number {
    return this.#temporaries.keep(key, wanted) ?? this.temporary()
  }

  /** Computes the addresses that paths begin at, and keeps them while `emit` emits the loads. */
  #loadFrom(paths: readonly ResolvedPath[], emit: () => void): void {
    const held: string[] = []
    for (const { root } of paths) {
      if (root.kind !== 'address') continue
      const key = keyOf(root.address)
      if (this.#addresses.has(key)) continue
      this.evaluate(root.address)
      const place = this.temporary()
      this.asm.store(8, R9, place, R0)
      this.#addresses.set(key, place)
      held.push(key)
    }
    emit()
    for (const key of held) {
      this.giveBack(this.#addressOf(key))
      this.#addresses.delete(key)
    }
  }

  #addressOf(key: string): number {
    const place = this.#addresses.get(key)
    if (place === undefined) throw new BuildError(`Cannot load from ${key}: its address was not computed`)
    return place
  }

  /** What expressions consist of, each with how many other atoms have to be fetched one after the other before. */
  #atomsOf(exprs: readonly ResolvedExpr[]): Map<string, { atom: Atom; depth: number }> {
    const found = new Map<string, { atom: Atom; depth: number }>()
    const visit = (expr: ResolvedExpr): number => {
      switch (expr.kind) {
        case 'constant':
        // What they consist of may not be needed.
        case 'firstNonZero':
        case 'ifThen':
          return -1
        case 'binary':
          return Math.max(visit(expr.left), visit(expr.right))
        case 'oneOf':
          return visit(expr.value)
      }
      const key = keyOf(expr)
      const before = found.get(key)
      if (before !== undefined) return before.depth
      const isAtHand = this.#temporaries.find(key) !== undefined
      const depth = isAtHand ? -1 : 1 + Math.max(-1, ...inputsOf(expr).map(visit))
      found.set(key, { atom: expr, depth })
      return depth
    }
    for (const expr of exprs) visit(expr)
    return found
  }
}
