/**
 * How a finished record leaves the scratch.
 *
 * A ring of the kernel takes its record under a lock and with atomic writes, and each of those waits until the CPU has
 * fetched every line that was written before, the record's own included. A ring that belongs to one lane needs neither:
 * the record is copied, and then the head moves. x86-64 shows writes to other CPUs in the order in which they were
 * made, so a reader that sees the head sees the record; other architectures have no such rings.
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
import { emitLossOf, emitUserShare, type ScarceTail } from './fairness.js'
import type { RecordLayout } from './record.js'
import {
  COPY_STEP_BYTES,
  CPU_RING_HEADER_BYTES,
  CPU_RINGS_MAP,
  type CpuRingsLayout,
  levelOffset,
  RECORD_OFFSET,
  RING_MAP,
  ringOffset,
  SCRATCH_MAP,
  SHARE_BYTES,
  SHARE_CONSUMED,
  SHARE_LIMIT,
  SHARE_WRITTEN,
  SLOT_HEAD,
  SLOT_LOST,
  SLOT_ORIGIN,
  SLOT_PRODUCED,
  SLOT_RING,
  SLOT_RING_MASK,
  SLOT_SHARES,
  SLOT_TAIL,
  SLOT_WAKE,
  TEMP_CURSOR,
  WAKE_NEVER,
  WAKE_ON_RECORD,
} from './scratch.js'
import type { Assignment, Target } from './target.js'

/** `flags` of bpf_ringbuf_output (include/uapi/linux/bpf.h). */
const BPF_RB_NO_WAKEUP = 1
const BPF_RB_FORCE_WAKEUP = 2
/** `flags` of bpf_ringbuf_query. */
const BPF_RB_AVAIL_DATA = 0

/** Longer records are copied by a helper: the verifier walks through the loop. */
const MAX_LOOP_BYTES = 1024

/** What there is to know of a record that leaves. */
export interface OutputRecord extends Pick<RecordLayout, 'fixedSizeBytes'> {
  /** The largest that the program makes. */
  readonly maxSizeBytes: number
  /** What is cut of it while the ring is scarce; undefined if its hook does not run in the task that caused it. */
  readonly scarceTails: readonly ScarceTail[] | undefined
}

/** Header and most padding of a record in a ring: the same in both kinds of rings. */
const HEADER_AND_PADDING = CPU_RING_HEADER_BYTES + 7

/**
 * Outputs the record behind R9, wakes the reader if it asked for that, and counts; goes to `leave` if it is lost.
 */
export function emitOutput(
  asm: Assembler,
  { fixedSizeBytes, maxSizeBytes, scarceTails }: OutputRecord,
  target: Target,
  { counter, share }: Assignment,
): void {
  asm
    .load(8, R7, R9, TEMP_CURSOR)
    .jumpIfImm('>', R7, maxSizeBytes - fixedSizeBytes, 'leave')
    .aluImm('add', R7, fixedSizeBytes)
  const lost = asm.uniqueLabel('lost')
  const isFair = target.fairUsers && scarceTails !== undefined
  if (isFair) emitUserShare(asm, target, scarceTails, { maxSizeBytes, lost })
  if (target.cpuRings === undefined) emitToRing(asm, target, share, lost)
  else emitToCpuRing(asm, target, { rings: target.cpuRings, share, lost })
  emitCount(asm, SLOT_PRODUCED, counter)
  asm.aside(lost, () => {
    emitCount(asm, SLOT_LOST, counter)
    if (isFair) emitLossOf(asm)
    asm.jump('leave')
  })
  if (target.cpuRings !== undefined) emitWake(asm)
}

/** The ring that all CPUs share takes the R7 bytes. */
function emitToRing(asm: Assembler, target: Target, share: number | undefined, lost: string): void {
  const watched = asm.uniqueLabel('watched')
  const output = asm.uniqueLabel('output')
  if (share !== undefined) emitSharedBound(asm, target, share, lost)
  asm.movImm(R8, BPF_RB_NO_WAKEUP)
  asm.load(4, R1, R9, SLOT_WAKE).jumpIfImm('!=', R1, WAKE_NEVER, watched)
  asm.aside(watched, () => {
    const wake = asm.uniqueLabel('wake')
    asm.jumpIfImm('==', R1, WAKE_ON_RECORD, wake)
    asm.loadMap(R1, RING_MAP).movImm(R2, BPF_RB_AVAIL_DATA).call(BPF_FUNC_ringbuf_query)
    asm.jumpIfImm('<', R0, target.ringSizeBytes / 2, output)
    // Each lane wakes the reader once: it sets the words again when it goes back to sleep.
    asm.label(wake).storeImm(4, R9, SLOT_WAKE, WAKE_NEVER).movImm(R8, BPF_RB_FORCE_WAKEUP).jump(output)
  })
  asm.label(output)
  asm.loadMap(R1, RING_MAP).mov(R2, R9).aluImm('add', R2, RECORD_OFFSET).mov(R3, R7).mov(R4, R8)
  asm.call(BPF_FUNC_ringbuf_output)
  asm.jumpIfImm('!=', R0, 0, lost)
  if (share === undefined) return
  loadShares(asm, target)
  asm.mov(R5, R7).aluImm('add', R5, HEADER_AND_PADDING).aluImm('and', R5, -8)
  asm.atomicAdd(8, R3, shareOffset(share) + SHARE_WRITTEN, R5)
}

/** Offset of what is known of a share within a slot. */
function shareOffset(share: number): number {
  return SLOT_SHARES + share * SHARE_BYTES
}

/** R3 = the slot whose shares all CPUs use together. */
function loadShares(asm: Assembler, { scratch }: Target): void {
  asm.loadMapValue(R3, SCRATCH_MAP, levelOffset(scratch, 0))
}

/**
 * Goes to `lost` when a kind has too much in the ring of all CPUs. What is written is counted behind the call, so that
 * each other lane may go beyond the share by the record that it is about to write.
 */
function emitSharedBound(asm: Assembler, target: Target, share: number, lost: string): void {
  loadShares(asm, target)
  asm.mov(R5, R7).aluImm('add', R5, HEADER_AND_PADDING).aluImm('and', R5, -8)
  emitBound(asm, share, lost)
}

/** R3 = a slot, R5 = what the record takes: goes to `lost` if the share is too small for it. Uses R0 and R2. */
function emitBound(asm: Assembler, share: number, lost: string): void {
  const at = shareOffset(share)
  // Signed: the reader may be done with a record before that is counted as written.
  asm.load(8, R0, R3, at + SHARE_WRITTEN).load(8, R2, R3, at + SHARE_CONSUMED)
  asm
    .alu('sub', R0, R2)
    .alu('add', R0, R5)
    .load(8, R2, R3, at + SHARE_LIMIT)
    .jumpIf('s>', R0, R2, lost)
}

interface CpuRingWay {
  readonly rings: CpuRingsLayout
  readonly share: number | undefined
  readonly lost: string
}

/** The ring of this lane takes the R7 bytes. Leaves in R8 how full it is then. */
function emitToCpuRing(asm: Assembler, { cpus }: Target, { rings, share, lost }: CpuRingWay): void {
  const copy = asm.uniqueLabel('copy')
  const copied = asm.uniqueLabel('copied')
  const long = asm.uniqueLabel('long')
  // R5 = what the record takes, R8 = how full the ring is with it.
  asm.mov(R5, R7).aluImm('add', R5, HEADER_AND_PADDING).aluImm('and', R5, -8)
  if (share !== undefined) {
    asm.mov(R3, R9)
    emitBound(asm, share, lost)
  }
  const behind = asm.uniqueLabel('behind')
  asm.load(8, R1, R9, SLOT_HEAD).load(8, R2, R9, SLOT_TAIL)
  asm.jumpIf('!=', R1, R2, behind).store(4, R9, SLOT_ORIGIN, R1).label(behind)
  // The last step of the copy may reach beyond the record, and must not reach the oldest one that waits.
  asm.load(4, R3, R9, SLOT_RING_MASK)
  asm
    .mov(R8, R1)
    .alu('sub', R8, R2)
    .alu('add', R8, R5)
    .mov(R4, R8)
    .aluImm('add', R4, COPY_STEP_BYTES - 1)
    .jumpIf('>', R4, R3, lost)
  // R3 = where it begins. The bounds are for the verifier.
  asm.load(4, R0, R9, SLOT_ORIGIN)
  asm.mov(R4, R1).alu('sub', R4, R0).alu('and', R4, R3).jumpIfImm('>=', R4, rings.sizeBytes, 'leave')
  asm.load(4, R2, R9, SLOT_RING).jumpIfImm('>', R2, ringOffset(rings, cpus - 1, 0), 'leave')
  asm.loadMapValue(R3, CPU_RINGS_MAP, 0).alu('add', R3, R2).alu('add', R3, R4)
  if (share !== undefined) {
    const at = shareOffset(share) + SHARE_WRITTEN
    asm.load(8, R2, R9, at).alu('add', R2, R5).store(8, R9, at, R2)
  }
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
function emitWake(asm: Assembler): void {
  const watched = asm.uniqueLabel('watched')
  asm.load(4, R1, R9, SLOT_WAKE).jumpIfImm('!=', R1, WAKE_NEVER, watched)
  asm.aside(watched, () => {
    const wake = asm.uniqueLabel('wake')
    asm.jumpIfImm('==', R1, WAKE_ON_RECORD, wake)
    asm.load(4, R2, R9, SLOT_RING_MASK).aluImm('rsh', R2, 1).jumpIf('<=', R8, R2, 'leave')
    // Each lane wakes the reader once: it sets the words again when it goes back to sleep.
    asm.label(wake).storeImm(4, R9, SLOT_WAKE, WAKE_NEVER)
    asm.loadMap(R1, RING_MAP).mov(R2, R9).movImm(R3, 8).movImm(R4, BPF_RB_FORCE_WAKEUP)
    asm.call(BPF_FUNC_ringbuf_output).jump('leave')
  })
}

function emitCount(asm: Assembler, counters: number, counter: number): void {
  const at = counters + counter * 8
  asm.load(8, R1, R9, at).aluImm('add', R1, 1).store(8, R9, at, R1)
}
