/** What programs do with the maps of a session. */

import {
  type Assembler,
  BPF_FUNC_map_delete_elem,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  R0,
  R1,
  R2,
  R3,
  R4,
  R9,
  R10,
} from '../asm/index.js'
import { HEADER_SIZE_BYTES } from './record.js'
import type { MapShape, ProbeMap } from './nodes.js'
import { looksUp, type ResolvedExpr, type ResolvedNumber } from './resolved.js'
import { RECORD_OFFSET } from './scratch.js'
import { keySlot } from './stack.js'

/** What computes keys and values. */
interface Computer {
  readonly asm: Assembler
  readonly keyBytes: number
  evaluate(expr: ResolvedExpr): void
  temporary(): number
  giveBack(place: number): void
}

/** Where a value is put together, from R9 on: the record is written after all effects. */
export const MAP_VALUE_OFFSET = RECORD_OFFSET + HEADER_SIZE_BYTES

/** `flags` of bpf_map_update_elem: an entry that is there stays, and the call fails. */
const BPF_ANY = 0
const BPF_NOEXIST = 1
const EEXIST = 17

/** R1 = the map, R2 = a pointer to the key. */
export function emitKey(computer: Computer, map: ProbeMap, key: readonly ResolvedNumber[]): void {
  const slot = keySlot(computer.keyBytes)
  fill(computer, { base: R10, offset: slot, shape: map.key }, key)
  emitKeyAgain(computer, map)
}

function emitKeyAgain({ asm, keyBytes }: Computer, map: ProbeMap): void {
  asm.loadMap(R1, map.name).mov(R2, R10).aluImm('add', R2, keySlot(keyBytes))
}

/** Stores a value under a key. */
export function emitStore(
  computer: Computer,
  map: ProbeMap,
  { key, value }: { readonly key: readonly ResolvedNumber[]; readonly value: readonly ResolvedNumber[] },
): void {
  fill(computer, valueBuffer(map), value)
  emitKey(computer, map, key)
  emitUpdate(computer, BPF_ANY)
}

/**
 * Stores a value under a key that the map lacks, or jumps to `taken`. If the map is full or busy, falls through: a
 * duplicate record is better than none.
 */
export function emitClaim(
  computer: Computer,
  map: ProbeMap,
  { key, value }: { readonly key: readonly ResolvedNumber[]; readonly value: readonly ResolvedNumber[] },
  taken: string,
): void {
  fill(computer, valueBuffer(map), value)
  emitKey(computer, map, key)
  emitUpdate(computer, BPF_NOEXIST)
  // Before Linux 6.4 it is an int: the upper half of the register is anything.
  computer.asm.aluImm('lsh', R0, 32).aluImm('arsh', R0, 32).jumpIfImm('==', R0, -EEXIST, taken)
}

/** Adds to numbers of the value under a key, which all begin at 0 where the map lacks it. */
export function emitIncrease(
  computer: Computer,
  map: ProbeMap,
  { key, value }: { readonly key: readonly ResolvedNumber[]; readonly value: readonly ResolvedNumber[] },
): void {
  const { asm } = computer
  const [found, absent, end] = ['found', 'absent', 'end'].map((name) => asm.uniqueLabel(name)) as [
    string,
    string,
    string,
  ]
  const amounts = value.map(({ offset, sizeBytes, expr }) => {
    computer.evaluate(expr)
    const place = computer.temporary()
    asm.store(8, R9, place, R0)
    return { offset, sizeBytes: sizeBytes as 4 | 8, place }
  })
  emitKey(computer, map, key)
  asm.call(BPF_FUNC_map_lookup_elem).jumpIfImm('==', R0, 0, absent)
  asm.label(found)
  for (const { offset, sizeBytes, place } of amounts) {
    asm.load(8, R1, R9, place).atomicAdd(sizeBytes, R0, offset, R1)
  }
  asm.label(end)
  asm.aside(absent, () => {
    zero(asm, valueBuffer(map))
    for (const { offset, sizeBytes, place } of amounts) {
      asm.load(8, R1, R9, place).store(sizeBytes, R9, MAP_VALUE_OFFSET + offset, R1)
    }
    emitKeyAgain(computer, map)
    emitUpdate(computer, BPF_NOEXIST)
    asm.aluImm('lsh', R0, 32).jumpIfImm('==', R0, 0, end)
    // Another CPU was first, or the map is full.
    emitKeyAgain(computer, map)
    asm.call(BPF_FUNC_map_lookup_elem).jumpIfImm('!=', R0, 0, found).jump(end)
  })
  for (const { place } of amounts) computer.giveBack(place)
}

/** Adds to numbers of the value under a key, and jumps to `counted`, if the map has it and fields of the value are equal. */
export function emitCount(
  computer: Computer,
  map: ProbeMap,
  { key, value, equal }: Readonly<Record<'key' | 'value' | 'equal', readonly ResolvedNumber[]>>,
  counted: string,
): void {
  const { asm } = computer
  const other = asm.uniqueLabel('other')
  const placed = ({ offset, sizeBytes, expr }: ResolvedNumber) => {
    computer.evaluate(expr)
    const place = computer.temporary()
    asm.store(8, R9, place, R0)
    return { offset, sizeBytes: sizeBytes as 4 | 8, place }
  }
  const [wanted, amounts] = [equal.map(placed), value.map(placed)]
  emitKey(computer, map, key)
  asm.call(BPF_FUNC_map_lookup_elem).jumpIfImm('==', R0, 0, other)
  for (const { offset, sizeBytes, place } of wanted)
    asm.load(sizeBytes, R1, R0, offset).load(sizeBytes, R2, R9, place).jumpIf('!=', R1, R2, other)
  for (const { offset, sizeBytes, place } of amounts)
    asm.load(8, R1, R9, place).atomicAdd(sizeBytes, R0, offset, R1)
  asm.jump(counted).label(other)
  for (const { place } of [...wanted, ...amounts]) computer.giveBack(place)
}

/** Removes a key. */
export function emitRemove(computer: Computer, map: ProbeMap, key: readonly ResolvedNumber[]): void {
  emitKey(computer, map, key)
  computer.asm.call(BPF_FUNC_map_delete_elem)
}

function emitUpdate({ asm }: Computer, flags: number): void {
  asm.mov(R3, R9).aluImm('add', R3, MAP_VALUE_OFFSET).movImm(R4, flags)
  asm.call(BPF_FUNC_map_update_elem)
}

/** Memory that a key or a value is put together in. */
interface Buffer {
  readonly base: typeof R9
  readonly offset: number
  readonly shape: MapShape
}

function valueBuffer(map: ProbeMap): Buffer {
  return { base: R9, offset: MAP_VALUE_OFFSET, shape: map.value }
}

/** Writes numbers to their places, and zeroes between them: a key is all of its bytes. */
function fill(computer: Computer, buffer: Buffer, numbers: readonly ResolvedNumber[]): void {
  const { asm } = computer
  const { base, offset: at, shape } = buffer
  // A look-up has a key too, in the same place: those go first.
  const waiting = new Map<ResolvedNumber, number>()
  for (const number of numbers.length > 1 ? numbers : []) {
    if (!looksUp(number.expr)) continue
    computer.evaluate(number.expr)
    const place = computer.temporary()
    asm.store(8, R9, place, R0)
    waiting.set(number, place)
  }
  const used = numbers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (numbers.length === 1 && numbers[0] !== undefined) computer.evaluate(numbers[0].expr)
  if (used < shape.sizeBytes) zero(asm, buffer)
  for (const number of numbers) {
    const place = waiting.get(number)
    if (place !== undefined) asm.load(8, R0, R9, place)
    else if (numbers.length > 1) computer.evaluate(number.expr)
    asm.store(number.sizeBytes, base, at + number.offset, R0)
  }
  for (const place of waiting.values()) computer.giveBack(place)
}

function zero(asm: Assembler, { base, offset, shape }: Buffer): void {
  for (let at = 0; at < shape.sizeBytes; at += 8) {
    const left = shape.sizeBytes - at
    if (left >= 8) asm.storeImm(8, base, offset + at, 0)
    else for (let byte = 0; byte < left; byte += 1) asm.storeImm(1, base, offset + at + byte, 0)
  }
}
