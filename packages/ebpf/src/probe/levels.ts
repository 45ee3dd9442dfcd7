/**
 * Levels of nesting. A softirq may interrupt a task in the middle of a program, an interrupt the softirq, and their own
 * programs then run to their end before the first continues. So each CPU counts its nested programs, and each program
 * works in the slot of its level.
 *
 * A program may be interrupted between reading that count and writing it: the interrupting programs restore the count.
 * Another task might run in between and not restore it: where a task may be preempted, programs disable preemption
 * first.
 *
 * A run that finds no free level, or none with room for its record, is counted and does nothing.
 */

import { type Assembler, BPF_FUNC_get_smp_processor_id, R0, R1, R2, R9 } from '../asm/index.js'
import type { Target } from './target.js'
import { levelOffset, SCRATCH_MAP, SLOT_DEPTH, SLOT_FIRST_LEVEL, SLOT_TOO_DEEP } from './scratch.js'

/** Levels on which a probe with such records can work. */
function levelsFor(recordBytes: number, { scratch }: Target): number {
  return recordBytes <= scratch.nestedRecordBytes ? scratch.levels : 1
}

/** R9 = the scratch slot of this run, which must end at `emitLeave`; or goes to `out`. Preemption must be off. */
export function emitEnter(asm: Assembler, recordBytes: number, target: Target): void {
  const { cpus, scratch } = target
  const levels = levelsFor(recordBytes, target)
  const tooDeep = asm.uniqueLabel('too_deep')
  asm.call(BPF_FUNC_get_smp_processor_id).jumpIfImm('>=', R0, cpus, 'out')
  asm.aluImm('mul', R0, scratch.cpuBytes)
  asm.loadMapValue(R9, SCRATCH_MAP, levelOffset(scratch, 0)).alu('add', R9, R0)
  asm.load(4, R1, R9, SLOT_DEPTH).jumpIfImm('>=', R1, levels, tooDeep)
  asm.aside(tooDeep, () => asm.movImm(R1, 1).atomicAdd(8, R9, SLOT_TOO_DEEP, R1).jump('out'))
  if (levels === 1) {
    asm.storeImm(4, R9, SLOT_DEPTH, 1)
    return
  }
  asm.mov(R2, R1).aluImm('add', R2, 1).store(4, R9, SLOT_DEPTH, R2)
  // Slots of deeper levels come first, so that the verifier sees no distance below 0.
  asm
    .movImm(R2, scratch.levels - 1)
    .alu('sub', R2, R1)
    .aluImm('mul', R2, scratch.nestedBytes)
  asm.loadMapValue(R9, SCRATCH_MAP, 0).alu('add', R9, R0).alu('add', R9, R2)
}

/** Releases the level. */
export function emitLeave(asm: Assembler, recordBytes: number, target: Target): void {
  const { cpus, scratch } = target
  if (levelsFor(recordBytes, target) === 1) {
    asm.storeImm(4, R9, SLOT_DEPTH, 0)
    return
  }
  const lastFirst = (cpus - 1) * scratch.cpuBytes + levelOffset(scratch, 0)
  asm.load(4, R1, R9, SLOT_FIRST_LEVEL).jumpIfImm('>', R1, lastFirst, 'out')
  asm.loadMapValue(R2, SCRATCH_MAP, 0).alu('add', R2, R1)
  asm.load(4, R1, R2, SLOT_DEPTH).aluImm('sub', R1, 1).store(4, R2, SLOT_DEPTH, R1)
}
