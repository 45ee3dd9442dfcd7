/**
 * Since Linux 6.19 a task may be preempted inside a tracing program, and the kernel skips the runs of other tasks that
 * reach the program on that CPU meanwhile. A program cannot avoid that: what was put off while it forbade preemption
 * happens the moment it allows it again, and it is still running then.
 *
 * So each tracepoint has the same program twice. The first notes its task; the second, which the kernel calls next in
 * the same task, works only if the first was skipped: some other task noted itself last on this CPU, and is still
 * bound to the CPU, as tasks inside of programs are. What is left: a run is lost, and counted, when its task comes in
 * before the first instruction of the other, or moves to another CPU before the second program; and it is told twice
 * when its task is preempted between the two and the next one inside the first.
 */

import {
  type Assembler,
  BPF_FUNC_get_current_task,
  BPF_FUNC_get_smp_processor_id,
  R0,
  R1,
  R2,
  R8,
} from '../asm/index.js'
import type { Btf } from '../btf/index.js'
import { SCRATCH_MAP, SLOT_STOOD_IN, SLOT_TASKS, TYPES } from './scratch.js'

/** Which of the two programs of a tracepoint that may be preempted: the second works where the first was skipped. */
export type Role = 'first' | 'standIn'

/** What a stand-in needs of a kernel. */
export interface StandInTypes {
  readonly castId: number
  readonly task: number
  /** Offset of `task_struct.migration_disabled`, u16. */
  readonly boundOffset: number
}

/** `undefined` where the kernel lacks what a stand-in needs. */
export function standInTypes(btf: Btf): StandInTypes | undefined {
  const castId = btf.findFunction('bpf_rdonly_cast')?.id
  const task = btf.findStruct('task_struct')
  const bound = task === undefined ? undefined : btf.member(task, 'migration_disabled')
  if (castId === undefined || task === undefined || bound === undefined) return undefined
  return { castId, task, boundOffset: bound.bitOffset / 8 }
}

/** Where a program of a pair works, and what it is in the pair. */
export interface Part {
  readonly role: Role
  readonly types: StandInTypes
  readonly recordType: number
  readonly cpus: number
  readonly slotBytes: number
}

/** Notes the task, or goes to `out` unless the first program was skipped. Preemption must be off. */
export function emitPart(asm: Assembler, part: Part): void {
  const { role, types, recordType, cpus, slotBytes } = part
  const at = SLOT_TASKS + (recordType % TYPES) * 8
  asm.call(BPF_FUNC_get_smp_processor_id).jumpIfImm('>=', R0, cpus, 'out')
  asm.aluImm('mul', R0, slotBytes).loadMapValue(R8, SCRATCH_MAP, 0).alu('add', R8, R0)
  asm.call(BPF_FUNC_get_current_task)
  if (role === 'first') {
    asm.store(8, R8, at, R0)
    return
  }
  asm.load(8, R1, R8, at).jumpIfImm('==', R1, 0, 'out').jumpIf('==', R1, R0, 'out')
  // That task may be gone: a cast address reads 0 where nothing is.
  asm.movImm(R2, types.task).callKfunc('bpf_rdonly_cast', types.castId)
  asm.load(2, R1, R0, types.boundOffset).jumpIfImm('==', R1, 0, 'out')
  asm.load(8, R1, R8, SLOT_STOOD_IN).aluImm('add', R1, 1).store(8, R8, SLOT_STOOD_IN, R1)
}
