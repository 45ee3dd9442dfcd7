/**
 * Memory that the generated programs work in: one map with one entry, so that its address is a constant of
 * each program and no lookup happens at run time. Each CPU has a slot of its own, made of whole pages:
 *
 * ```
 *  0      8     16     24     32             288        544        576           1344        1600
 *  ┌──────┬─────┬──────┬──────┬──────────────┬──────────┬──────────┬─────────────┬───────────┬──────────────┐
 *  │ wake,│ seq │ head │ tail │ produced[32] │ lost[32] │ stood in │ temporaries │ tasks[32] │ record       │
 *  └──────┴─────┴──────┴──────┴──────────────┴──────────┴──────────┴─────────────┴───────────┴──────────────┘
 *   the first page is mapped into user space                                                  being written
 * ```
 *
 * All of it lies together because the first touch of a page or line is what a short program pays for: the counts of the
 * first types of records share a line with what every run writes. Values of a walk live in temporaries and not in
 * registers, so that the verifier sees an unknown number where it would otherwise follow a new range in every
 * iteration.
 *
 * Where each CPU has a ring of its own (`output.ts`), a second map holds them, again in one entry.
 */

import type { MapSpec } from '../map/map.js'

export const SCRATCH_MAP = 'scratch'
/** The ring that all CPUs share, or that only wakes the reader when each has one of its own. */
export const RING_MAP = 'ring'
export const CPU_RINGS_MAP = 'cpu_rings'

/** u32 that tells the programs on this CPU whether the reader sleeps. */
export const SLOT_WAKE = 0
/** The reader will poll again by itself: never wake it. */
export const WAKE_NEVER = 0
/** The reader sleeps until something comes: wake it for the next record. */
export const WAKE_ON_RECORD = 1
/** The reader sleeps for a short, fixed time: wake it early once half the ring is filled. */
export const WAKE_ON_BACKLOG = 2

/** u32: which position, by its lower half, is the first byte of this CPU's ring. */
export const SLOT_ORIGIN = 4
/** u64: records written or lost so far on this CPU. */
export const SLOT_SEQ = 8
/** u64: bytes that programs have written to the ring of this CPU so far. */
export const SLOT_HEAD = 16
/** u64: bytes of them that the reader is done with; written by the reader. */
export const SLOT_TAIL = 24
/** u64[32]: records that reached the ring, by type. */
export const SLOT_PRODUCED = 32
/** u64[32]: records that found no room, by type. */
export const SLOT_LOST = 288
/** Counters of each kind; record types that are congruent share one. */
export const TYPES = 32
/** u64: runs that the kernel skipped and that a stand-in made up for (stand-in.ts). */
export const SLOT_STOOD_IN = 544

/** First of the 8-byte temporaries, and the end of them. */
export const FIRST_TEMPORARY = 576
export const END_OF_TEMPORARIES = 1344
/** u64[32]: address of the task in which the programs of each type ran last on this CPU (stand-in.ts). */
export const SLOT_TASKS = 1344
export const RECORD_OFFSET = 1600

/** Temporaries with a fixed meaning; those from `FREE_TEMPORARY` on are handed out by the compiler. */
export const TEMP_CURSOR = 576
export const TEMP_DENTRY = 584
export const TEMP_MOUNT = 592
export const TEMP_ROOT_DENTRY = 600
export const TEMP_ROOT_MOUNT = 608
export const TEMP_NEXT = 616
export const TEMP_PATH_LENGTH = 624
export const TEMP_FLAGS = 632
export const FREE_TEMPORARY = 640

/** A record is copied in steps of so many bytes, the last of which may reach beyond it. */
export const COPY_STEP_BYTES = 32

/** Bytes of one CPU's slot for records of up to `maxRecordBytes`. */
export function scratchSlotBytes(maxRecordBytes: number, pageBytes: number): number {
  return Math.ceil((RECORD_OFFSET + maxRecordBytes + COPY_STEP_BYTES) / pageBytes) * pageBytes
}

export function scratchMap(cpus: number, slotBytes: number): MapSpec {
  return {
    name: SCRATCH_MAP,
    type: 'array',
    keySizeBytes: 4,
    valueSizeBytes: cpus * slotBytes,
    maxEntries: 1,
    mmapable: true,
  }
}

/**
 * Rings of the CPUs, one behind the other in one map. A position is bytes since creation, and its place the distance
 * from the origin modulo the size. Each record is its length (u32), four unused bytes, and its bytes, padded to 8.
 * Behind each ring is room for the largest record, so that none ever wraps.
 *
 * A program that finds the ring empty makes the head the origin, and begins with the first byte again: a reader that
 * keeps up has programs write to a few lines that the CPU still has, and not through all of the ring.
 */
export interface CpuRingsLayout {
  /** Of one ring; a power of two. */
  readonly sizeBytes: number
  /** From one ring to the next: whole pages. */
  readonly strideBytes: number
}

/** Bytes in front of each record in the ring of a CPU. */
export const CPU_RING_HEADER_BYTES = 8

export function cpuRingsLayout(sizeBytes: number, maxRecordBytes: number, pageBytes: number): CpuRingsLayout {
  const room = CPU_RING_HEADER_BYTES + maxRecordBytes + COPY_STEP_BYTES
  return { sizeBytes, strideBytes: Math.ceil((sizeBytes + room) / pageBytes) * pageBytes }
}

export function cpuRingsMap(cpus: number, { strideBytes }: CpuRingsLayout): MapSpec {
  return {
    name: CPU_RINGS_MAP,
    type: 'array',
    keySizeBytes: 4,
    valueSizeBytes: cpus * strideBytes,
    maxEntries: 1,
    mmapable: true,
  }
}
