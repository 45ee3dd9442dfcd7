/**
 * A task may be preempted inside a tracing program, at a function on kernels that preempt tasks at all, at a tracepoint
 * since Linux 6.19; and the kernel skips the runs of other tasks that reach the program on that CPU meanwhile. A program
 * cannot avoid that: a preemption that was deferred while it disabled preemption happens as soon as it enables it again,
 * when the program is still running. The kernel also skips runs in interrupts that hit the task in the middle of the
 * program.
 *
 * So each such hook has the same program twice, be it that of a probe, or one that goes on to those of several. The first
 * notes where it runs: its task, and the address of its arguments, which says on which stack and how deep. It notes the
 * address again among a few that are kept by task, and the second, which the kernel calls next in the same place, takes
 * it from there: then the first has run. Else the second works if the first was skipped, and that is when the note shows
 *
 * - another task, which is still bound to the CPU, as tasks inside of programs are;
 * - the same task, but what this run has interrupted: farther up the same stack, or on the task's own stack while this
 *   run has another. What has interrupted this run since the first program is farther down, or on another stack than the
 *   task's, and is over.
 *
 * What is left: a run is lost, and counted, when it comes in before the first instruction of the other, when it finds
 * the note of an earlier run at its own place, or when its task moves to another CPU before the second program. And it is
 * recorded twice, and hides one that was lost, when its task is preempted between the two and the next one inside the
 * first, and the task has moved to another CPU or both are kept in the same place; or when that was inside another
 * program that was interrupted by the first.
 */

import {
  type Assembler,
  BPF_FUNC_get_current_task,
  BPF_FUNC_get_smp_processor_id,
  R0,
  R1,
  R2,
  R3,
  R6,
  R7,
  R8,
} from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { levelOffset, NOTE_BYTES, SCRATCH_MAP, type ScratchLayout, SLOT_STOOD_IN } from './scratch.js'

/** Which of the two programs of a hook that may be preempted: the second works where the first was skipped. */
export type Role = 'first' | 'standIn'

/** Bytes of a stack of the kernel; those of kernels with 64 KiB pages or memory checkers are larger. */
const STACK_BYTES = 16 << 10
/**
 * A note: the task, and the address of the arguments; the note's own address, which is always the same; and the addresses
 * of runs whose second program is still to come, by task.
 */
const NOTE_TASK = 0
const NOTE_PLACE = 8
const NOTE_ADDRESS = 16
const NOTE_RUNS = 24
const RUNS = (NOTE_BYTES - NOTE_RUNS) / 8
/** 2 ** 64 divided by the golden ratio: the upper bits of the product of a task's address are its place among the runs. */
const HASH_FACTOR = 0x9e37_79b9_7f4a_7c15n

/** What a stand-in needs of a kernel. */
export interface StandInTypes {
  readonly castId: number
  readonly task: number
  /** Offset of `task_struct.migration_disabled`, u16. */
  readonly boundOffset: number
  /** Offset of `task_struct.stack`, a pointer. */
  readonly stackOffset: number
}

/** `undefined` where the kernel lacks what a stand-in needs. */
export function standInTypes(btf: Btf): StandInTypes | undefined {
  const castId = btf.findFunction('bpf_rdonly_cast')?.id
  const task = btf.findStruct('task_struct')
  if (castId === undefined || task === undefined) return undefined
  const bound = btf.member(task, 'migration_disabled')
  const stack = btf.member(task, 'stack')
  if (bound === undefined || stack === undefined) return undefined
  return { castId, task, boundOffset: bound.bitOffset / 8, stackOffset: stack.bitOffset / 8 }
}

/** Where a program of a pair works, and what it is in the pair. */
export interface Part {
  readonly role: Role
  readonly types: StandInTypes
  /** Offset of the pair's note within the part of a CPU. */
  readonly note: number
  readonly cpus: number
  readonly scratch: ScratchLayout
}

/**
 * Notes where it runs, or goes to `end` unless the first program was skipped. R6 is the context. While the first program
 * of a pair runs on a CPU, no other does: nobody else writes the note, whether preemption is disabled or not.
 */
export function emitPart(asm: Assembler, part: Part): void {
  const { role, note, cpus, scratch } = part
  asm.call(BPF_FUNC_get_smp_processor_id).jumpIfImm('>=', R0, cpus, 'end')
  asm.aluImm('mul', R0, scratch.cpuBytes).loadMapValue(R8, SCRATCH_MAP, note).alu('add', R8, R0)
  asm.call(BPF_FUNC_get_current_task)
  asm
    .movImm64(R1, HASH_FACTOR)
    .alu('mul', R1, R0)
    .aluImm('rsh', R1, 64 - Math.log2(RUNS))
  asm.aluImm('lsh', R1, 3).alu('add', R1, R8)
  if (role === 'first') {
    asm.store(8, R8, NOTE_TASK, R0).store(8, R8, NOTE_PLACE, R6).store(8, R1, NOTE_RUNS, R6)
    return
  }
  const unknown = asm.uniqueLabel('unknown')
  asm.load(8, R2, R1, NOTE_RUNS).jumpIf('!=', R2, R6, unknown)
  asm.storeImm(8, R1, NOTE_RUNS, 0).jump('end')
  asm.label(unknown)
  emitUnlessSkipped(asm, part)
}

/** Goes to `end` unless the note shows that the first program was skipped; R8 = the note, R0 = the task. */
function emitUnlessSkipped(asm: Assembler, { types, cpus, scratch }: Part): void {
  const { castId, task, boundOffset, stackOffset } = types
  const sameTask = asm.uniqueLabel('same_task')
  const skipped = asm.uniqueLabel('skipped')
  const elsewhere = asm.uniqueLabel('elsewhere')
  asm.load(8, R1, R8, NOTE_TASK).jumpIf('==', R1, R0, sameTask).jumpIfImm('==', R1, 0, 'end')
  // That task may be gone: a cast address reads 0 where nothing is.
  asm.movImm(R2, task).callKfunc('bpf_rdonly_cast', castId)
  asm.load(2, R1, R0, boundOffset).jumpIfImm('==', R1, 0, 'end')
  asm.label(skipped)
  asm.call(BPF_FUNC_get_smp_processor_id).jumpIfImm('>=', R0, cpus, 'end')
  asm.aluImm('mul', R0, scratch.cpuBytes).loadMapValue(R8, SCRATCH_MAP, levelOffset(scratch, 0))
  asm.alu('add', R8, R0).movImm(R1, 1).atomicAdd(8, R8, SLOT_STOOD_IN, R1)
  asm.aside(sameTask, () => {
    // R7 = this place, R2 = the noted one: both relative to the task's stack, then to each other.
    asm.movImm(R2, task).callKfunc('bpf_rdonly_cast', castId).load(8, R3, R0, stackOffset)
    asm.load(8, R2, R8, NOTE_PLACE)
    // Numbers cannot be subtracted from the pointer to the arguments. Its distance to the note is a number, and so is the
    // note's address once it was stored.
    asm.mov(R7, R6).alu('sub', R7, R8).store(8, R8, NOTE_ADDRESS, R8).load(8, R1, R8, NOTE_ADDRESS)
    asm.alu('add', R7, R1).alu('sub', R7, R3).alu('sub', R2, R3)
    asm.jumpIfImm('>=', R7, STACK_BYTES, elsewhere)
    asm.jumpIfImm('>=', R2, STACK_BYTES, 'end').jumpIf('>', R2, R7, skipped).jump('end')
    asm.label(elsewhere).jumpIfImm('<', R2, STACK_BYTES, skipped)
    asm.alu('sub', R2, R7).jumpIfImm('==', R2, 0, 'end').jumpIfImm('<', R2, STACK_BYTES, skipped).jump('end')
  })
}
