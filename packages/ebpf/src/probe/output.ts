/**
 * How a finished record leaves the scratch.
 *
 * A ring of the kernel takes its record under a lock and with atomic writes, and each of those waits until the CPU has
 * fetched every line that was written before, the record's own included. A ring that belongs to one CPU needs neither:
 * the record is copied, and then the head moves. x86-64 shows writes to other CPUs in the order in which they were
 * made, so who sees the head sees the record; there is no such ring elsewhere.
 */

import {
  type Assembler,
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_ringbuf_output,
  BPF_FUNC_ringbuf_query,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R7,
  R8,
  R9,
} from '../asm/index.js'
import { HEADER_CPU, type RecordLayout } from './record.js'
import {
  COPY_STEP_BYTES,
  CPU_RING_HEADER_BYTES,
  CPU_RINGS_MAP,
  type CpuRingsLayout,
  RECORD_OFFSET,
  RING_MAP,
  SLOT_HEAD,
  SLOT_LOST,
  SLOT_ORIGIN,
  SLOT_PRODUCED,
  SLOT_TAIL,
  SLOT_WAKE,
  TEMP_CURSOR,
  TYPES,
  WAKE_NEVER,
  WAKE_ON_RECORD,
} from './scratch.js'
import type { Target } from './target.js'

/** `flags` of bpf_ringbuf_output (include/uapi/linux/bpf.h). */
const BPF_RB_NO_WAKEUP = 1
const BPF_RB_FORCE_WAKEUP = 2
/** `flags` of bpf_ringbuf_query. */
const BPF_RB_AVAIL_DATA = 0

/** Longer records are copied by a helper: the verifier walks through the loop. */
const MAX_LOOP_BYTES = 1024

/** What there is to know of a record that leaves. */
export interface OutputRecord extends Pick<RecordLayout, 'type' | 'fixedSizeBytes'> {
  /** The largest that the program makes. */
  readonly maxSizeBytes: number
}

/** Sends the record behind R9, wakes the reader if it asked for that, counts, and goes on, or to `out` if it is lost. */
export function emitOutput(asm: Assembler, record: OutputRecord, target: Target): void {
  const { fixedSizeBytes, maxSizeBytes } = record
  asm
    .load(8, R7, R9, TEMP_CURSOR)
    .jumpIfImm('>', R7, maxSizeBytes - fixedSizeBytes, 'out')
    .aluImm('add', R7, fixedSizeBytes)
  const lost = asm.uniqueLabel('lost')
  if (target.cpuRings === undefined) emitToRing(asm, target, lost)
  else emitToCpuRing(asm, target, target.cpuRings, lost)
  emitCount(asm, SLOT_PRODUCED, record)
  asm.aside(lost, () => {
    emitCount(asm, SLOT_LOST, record)
    asm.jump('out')
  })
  if (target.cpuRings !== undefined) emitWake(asm, target.cpuRings)
}

/** The ring that all CPUs share takes the R7 bytes. */
function emitToRing(asm: Assembler, { ringSizeBytes }: Target, lost: string): void {
  const watched = asm.uniqueLabel('watched')
  const output = asm.uniqueLabel('output')
  asm.movImm(R8, BPF_RB_NO_WAKEUP)
  asm.load(4, R1, R9, SLOT_WAKE).jumpIfImm('!=', R1, WAKE_NEVER, watched)
  asm.aside(watched, () => {
    const wake = asm.uniqueLabel('wake')
    asm.jumpIfImm('==', R1, WAKE_ON_RECORD, wake)
    asm.loadMap(R1, RING_MAP).movImm(R2, BPF_RB_AVAIL_DATA).call(BPF_FUNC_ringbuf_query)
    asm.jumpIfImm('<', R0, ringSizeBytes / 2, output)
    // Each CPU wakes the reader once: it sets the words again when it goes back to sleep.
    asm.label(wake).storeImm(4, R9, SLOT_WAKE, WAKE_NEVER).movImm(R8, BPF_RB_FORCE_WAKEUP).jump(output)
  })
  asm.label(output)
  asm.loadMap(R1, RING_MAP).mov(R2, R9).aluImm('add', R2, RECORD_OFFSET).mov(R3, R7).mov(R4, R8)
  asm.call(BPF_FUNC_ringbuf_output)
  asm.jumpIfImm('!=', R0, 0, lost)
}

/** The ring of this CPU takes the R7 bytes. Leaves in R8 how full it is then. */
function emitToCpuRing(asm: Assembler, { cpus }: Target, rings: CpuRingsLayout, lost: string): void {
  const { sizeBytes, strideBytes } = rings
  const copy = asm.uniqueLabel('copy')
  const copied = asm.uniqueLabel('copied')
  const long = asm.uniqueLabel('long')
  // R5 = what the record takes, R8 = how full the ring is with it.
  asm
    .mov(R5, R7)
    .aluImm('add', R5, CPU_RING_HEADER_BYTES + 7)
    .aluImm('and', R5, -8)
  const behind = asm.uniqueLabel('behind')
  asm.load(8, R1, R9, SLOT_HEAD).load(8, R2, R9, SLOT_TAIL)
  asm.jumpIf('!=', R1, R2, behind).store(4, R9, SLOT_ORIGIN, R1).label(behind)
  // The last step of the copy may reach beyond the record, and must not reach the oldest one that waits.
  asm
    .mov(R8, R1)
    .alu('sub', R8, R2)
    .alu('add', R8, R5)
    .jumpIfImm('>', R8, sizeBytes - COPY_STEP_BYTES, lost)
  // R3 = where it begins.
  asm.load(2, R2, R9, RECORD_OFFSET + HEADER_CPU).jumpIfImm('>=', R2, cpus, 'out')
  asm.aluImm('mul', R2, strideBytes)
  asm.load(4, R0, R9, SLOT_ORIGIN)
  asm
    .mov(R4, R1)
    .alu('sub', R4, R0)
    .aluImm('and', R4, sizeBytes - 1)
  asm.loadMapValue(R3, CPU_RINGS_MAP, 0).alu('add', R3, R2).alu('add', R3, R4)
  // R1 = the next head.
  asm.alu('add', R1, R5)
  asm.store(4, R3, 0, R7)
  asm.mov(R2, R9).aluImm('add', R2, RECORD_OFFSET)
  asm.jumpIfImm('>', R7, MAX_LOOP_BYTES, long)
  asm.movImm(R0, 0)
  asm.label(copy)
  for (let at = 0; at < COPY_STEP_BYTES; at += 8) {
    asm.load(8, R4, R2, at).store(8, R3, CPU_RING_HEADER_BYTES + at, R4)
  }
  asm.aluImm('add', R0, COPY_STEP_BYTES).jumpIf('>=', R0, R7, copied)
  asm.aluImm('add', R2, COPY_STEP_BYTES).aluImm('add', R3, COPY_STEP_BYTES)
  asm.jumpIfImm('<', R0, MAX_LOOP_BYTES, copy)
  asm.label(copied).store(8, R9, SLOT_HEAD, R1)
  asm.aside(long, () => {
    // The call takes the registers, and the cursor has been read.
    asm.store(8, R9, TEMP_CURSOR, R1)
    asm.mov(R1, R3).aluImm('add', R1, CPU_RING_HEADER_BYTES).mov(R3, R2).mov(R2, R7)
    asm.call(BPF_FUNC_probe_read_kernel)
    asm.load(8, R1, R9, TEMP_CURSOR).jump(copied)
  })
}

/** Wakes the reader of the rings if it asked for that, by a few bytes in the ring that it sleeps on. */
function emitWake(asm: Assembler, { sizeBytes }: CpuRingsLayout): void {
  const watched = asm.uniqueLabel('watched')
  asm.load(4, R1, R9, SLOT_WAKE).jumpIfImm('!=', R1, WAKE_NEVER, watched)
  asm.aside(watched, () => {
    const wake = asm.uniqueLabel('wake')
    asm.jumpIfImm('==', R1, WAKE_ON_RECORD, wake).jumpIfImm('<', R8, sizeBytes / 2, 'out')
    // Each CPU wakes the reader once: it sets the words again when it goes back to sleep.
    asm.label(wake).storeImm(4, R9, SLOT_WAKE, WAKE_NEVER)
    asm.loadMap(R1, RING_MAP).mov(R2, R9).movImm(R3, 8).movImm(R4, BPF_RB_FORCE_WAKEUP)
    asm.call(BPF_FUNC_ringbuf_output).jump('out')
  })
}

function emitCount(asm: Assembler, counters: number, { type }: OutputRecord): void {
  const at = counters + (type % TYPES) * 8
  asm.load(8, R1, R9, at).aluImm('add', R1, 1).store(8, R9, at, R1)
}
