/**
 * Memory that the generated programs work in: one map with one entry, so that its address is a constant of
 * each program and no lookup happens at run time. Each CPU has a slot of its own, made of whole pages:
 *
 * ```
 *  0       8     16          24             280        576           1344        1600
 *  ┌───────┬─────┬───────────┬──────────────┬──────────┬─────────────┬───────────┬──────────────────────────┐
 *  │ wake  │ seq │ stood in  │ produced[32] │ lost[32] │ temporaries │ tasks[32] │ the record being written │
 *  └───────┴─────┴───────────┴──────────────┴──────────┴─────────────┴───────────┴──────────────────────────┘
 *   the first page is mapped into user space
 * ```
 *
 * All of it lies together because the first touch of a page or line is what a short program pays for: the counts of the
 * first types of records share a line with what every run writes. Values of a walk live in temporaries and not in
 * registers, so that the verifier sees an unknown number where it would otherwise follow a new range in every
 * iteration.
 */

import type { MapSpec } from '../map.js'

export const SCRATCH_MAP = 'scratch'
export const RING_MAP = 'ring'

/** u32 that tells the programs on this CPU whether the reader sleeps. */
export const SLOT_WAKE = 0
/** The reader will poll again by itself: never wake it. */
export const WAKE_NEVER = 0
/** The reader sleeps until something comes: wake it for the next record. */
export const WAKE_ON_RECORD = 1
/** The reader sleeps for a short, fixed time: wake it early once half the ring is filled. */
export const WAKE_ON_BACKLOG = 2

/** u64: records written or lost so far on this CPU. */
export const SLOT_SEQ = 8
/** u64: runs that the kernel skipped and that a stand-in made up for (stand-in.ts). */
export const SLOT_STOOD_IN = 16
/** u64[32]: records that reached the ring, by type. */
export const SLOT_PRODUCED = 24
/** u64[32]: records that found no room, by type. */
export const SLOT_LOST = 280

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

/** Bytes of one CPU's slot for records of up to `maxRecordBytes`. */
export function scratchSlotBytes(maxRecordBytes: number, pageBytes: number): number {
  return Math.ceil((RECORD_OFFSET + maxRecordBytes) / pageBytes) * pageBytes
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
