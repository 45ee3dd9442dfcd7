/** Numbers that are computed: the code for expressions, and for maps that they look into. */

import {
  type Assembler,
  BPF_FUNC_map_delete_elem,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_skb_load_bytes,
  type JumpOp,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R9,
  R10,
} from '../asm/index.js'
import { BuildError } from '../errors.js'
import type { BinaryOp, ProbeMap } from './expr.js'
import type { LoadTree } from './load-tree.js'
import type { ResolvedExpr } from './resolve.js'
import { END_OF_TEMPORARIES, FREE_TEMPORARY } from './scratch.js'

/** Bytes of a packet on their way to a temporary. */
const PACKET_SLOT = -8
/** Key and value of a map call; below the slots that loads and tails use. */
const KEY_SLOT = -104
const VALUE_SLOT = -112

/** Temporaries that a condition can have. They are on the stack, which the callback of a walk shares. */
export const CONDITION_TEMPORARIES = 24
/** What R9 is to R10 while a condition is evaluated: its temporaries lie below all other slots of the stack. */
export const CONDITION_FRAME = VALUE_SLOT - CONDITION_TEMPORARIES * 8 - FREE_TEMPORARY

/** `flags` of bpf_map_update_elem: an entry that is there stays, and the call fails. */
const BPF_NOEXIST = 1
const EEXIST = 17

/** Comparisons, and what is true when they are not. */
const INVERSE: Partial<Record<BinaryOp, JumpOp>> = {
  '==': '!=',
  '!=': '==',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

type AluOp = 'add' | 'sub' | 'mul' | 'and' | 'or' | 'lsh' | 'rsh'

const ALU: Partial<Record<BinaryOp, AluOp>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '&': 'and',
  '|': 'or',
  '<<': 'lsh',
  '>>': 'rsh',
}

/**
 * Evaluates expressions into R0. What they load is put into temporaries first, with all other loads of the
 * record, so that no pointer is loaded twice; operands wait in temporaries as well.
 */
export class Values {
  readonly #asm: Assembler
  readonly #probe: string
  /** Temporaries by the expression that was loaded into them. */
  readonly #slots = new Map<ResolvedExpr, number>()
  #nextTemporary = FREE_TEMPORARY
  #mostTemporaries = 0

  constructor(asm: Assembler, probe: string) {
    this.#asm = asm
    this.#probe = probe
  }

  /** Most temporaries that were in use at once. */
  get mostTemporaries(): number {
    return this.#mostTemporaries
  }

  /** Offset of a temporary that nothing else uses, within the scratch in R9. */
  temporary(): number {
    const offset = this.#nextTemporary
    if (offset >= END_OF_TEMPORARIES) {
      throw new BuildError(`Cannot compile probe "${this.#probe}": more values than there are temporaries`)
    }
    this.#nextTemporary += 8
    this.#mostTemporaries = Math.max(this.#mostTemporaries, (this.#nextTemporary - FREE_TEMPORARY) / 8)
    return offset
  }

  /** Gives back the temporary that was handed out last. */
  #release(): void {
    this.#nextTemporary -= 8
  }

  /** Arranges for every load and packet read of an expression to be in a temporary. R6 is the context. */
  prepare(expr: ResolvedExpr, tree: LoadTree): void {
    const asm = this.#asm
    switch (expr.kind) {
      case 'binary':
        this.prepare(expr.left, tree)
        this.prepare(expr.right, tree)
        return
      case 'lookup':
        this.prepare(expr.key, tree)
        return
      case 'load':
        tree.add(expr.path, { area: 'slot', offset: this.#slotOf(expr), sizeBytes: 8 })
        return
      case 'packet':
        asm.storeImm(8, R10, PACKET_SLOT, 0)
        asm.mov(R1, R6).movImm(R2, expr.offset).mov(R3, R10).aluImm('add', R3, PACKET_SLOT)
        asm.movImm(R4, expr.size).call(BPF_FUNC_skb_load_bytes)
        asm.load(8, R0, R10, PACKET_SLOT).store(8, R9, this.#slotOf(expr), R0)
        return
      case 'constant':
    }
  }

  /** R0 = the value of a prepared expression. Uses R0 to R5. */
  evaluate(expr: ResolvedExpr): void {
    const asm = this.#asm
    switch (expr.kind) {
      case 'constant':
        asm.movImm(R0, expr.value)
        return
      case 'load':
      case 'packet':
        asm.load(8, R0, R9, this.#slotOf(expr))
        return
      case 'lookup':
        this.#emitLookup(expr.map, expr.key, expr.gives)
        return
      case 'binary':
        this.#emitBinary(expr.op, expr.left, expr.right)
    }
  }

  /** Continues at `label` if a prepared expression is 0, and goes straight on if not. */
  emitUnless(expr: ResolvedExpr, label: string): void {
    if (expr.kind === 'constant' && expr.value !== 0) return
    if (expr.kind === 'binary' && expr.op === '&' && isTruth(expr.left) && isTruth(expr.right)) {
      this.emitUnless(expr.left, label)
      this.emitUnless(expr.right, label)
      return
    }
    const inverse = expr.kind === 'binary' ? INVERSE[expr.op] : undefined
    if (expr.kind !== 'binary' || inverse === undefined) {
      this.evaluate(expr)
      this.#asm.jumpIfImm('==', R0, 0, label)
      return
    }
    this.#emitOperands(expr.left, expr.right)
    this.#asm.jumpIf(inverse, R0, R1, label)
  }

  /** Stores a prepared value under a prepared key. */
  emitStore(map: ProbeMap, key: ResolvedExpr, value: ResolvedExpr): void {
    this.evaluate(value)
    const waiting = this.temporary()
    this.#asm.store(8, R9, waiting, R0)
    this.#emitKey(map, key)
    this.#asm.load(8, R0, R9, waiting).store(map.valueSizeBytes, R10, VALUE_SLOT, R0)
    this.#release()
    this.#asm.mov(R3, R10).aluImm('add', R3, VALUE_SLOT).movImm(R4, 0).call(BPF_FUNC_map_update_elem)
  }

  /**
   * Stores 1 under a prepared key that the map lacks, or jumps to `taken`. When the map has no room or is busy it goes
   * on: a record told twice is better than none.
   */
  emitClaim(map: ProbeMap, key: ResolvedExpr, taken: string): void {
    this.#emitKey(map, key)
    this.#asm.storeImm(map.valueSizeBytes, R10, VALUE_SLOT, 1)
    this.#asm
      .mov(R3, R10)
      .aluImm('add', R3, VALUE_SLOT)
      .movImm(R4, BPF_NOEXIST)
      .call(BPF_FUNC_map_update_elem)
    // Before Linux 6.4 it is an int: the upper half of the register is anything.
    this.#asm.aluImm('lsh', R0, 32).aluImm('arsh', R0, 32).jumpIfImm('==', R0, -EEXIST, taken)
  }

  /** Removes a prepared key. */
  emitRemove(map: ProbeMap, key: ResolvedExpr): void {
    this.#emitKey(map, key)
    this.#asm.call(BPF_FUNC_map_delete_elem)
  }

  #emitLookup(map: ProbeMap, key: ResolvedExpr, gives: 'value' | 'presence'): void {
    const asm = this.#asm
    const end = asm.uniqueLabel('end')
    this.#emitKey(map, key)
    asm.call(BPF_FUNC_map_lookup_elem).jumpIfImm('==', R0, 0, end)
    if (gives === 'value') asm.load(map.valueSizeBytes, R0, R0, 0)
    else asm.movImm(R0, 1)
    asm.label(end)
  }

  /** R1 = the map, R2 = a pointer to the key. */
  #emitKey(map: ProbeMap, key: ResolvedExpr): void {
    this.evaluate(key)
    this.#asm.store(map.keySizeBytes, R10, KEY_SLOT, R0)
    this.#asm.loadMap(R1, map.name).mov(R2, R10).aluImm('add', R2, KEY_SLOT)
  }

  #emitBinary(op: BinaryOp, left: ResolvedExpr, right: ResolvedExpr): void {
    const asm = this.#asm
    this.#emitOperands(left, right)
    const alu = ALU[op]
    if (alu !== undefined) {
      asm.alu(alu, R0, R1)
      return
    }
    const yes = asm.uniqueLabel('yes')
    asm
      .mov(R2, R0)
      .movImm(R0, 1)
      .jumpIf(op as JumpOp, R2, R1, yes)
      .movImm(R0, 0)
      .label(yes)
  }

  /** R0 = the left one, R1 = the right one. */
  #emitOperands(left: ResolvedExpr, right: ResolvedExpr): void {
    if (right.kind === 'constant') {
      this.evaluate(left)
      this.#asm.movImm(R1, right.value)
      return
    }
    this.evaluate(right)
    const waiting = this.temporary()
    this.#asm.store(8, R9, waiting, R0)
    this.evaluate(left)
    this.#asm.load(8, R1, R9, waiting)
    this.#release()
  }

  #slotOf(expr: ResolvedExpr): number {
    let slot = this.#slots.get(expr)
    if (slot === undefined) {
      slot = this.temporary()
      this.#slots.set(expr, slot)
    }
    return slot
  }
}

/** Whether a value is 0 or 1. */
function isTruth(expr: ResolvedExpr): boolean {
  if (expr.kind === 'constant') return expr.value === 0 || expr.value === 1
  if (expr.kind === 'lookup') return expr.gives === 'presence'
  if (expr.kind !== 'binary') return false
  return INVERSE[expr.op] !== undefined || (expr.op === '&' && isTruth(expr.left) && isTruth(expr.right))
}
