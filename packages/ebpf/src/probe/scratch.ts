/**
 * Memory that the generated programs work in. Each map has one entry, so its address is a constant of the
 * program and no lookup happens at run time; CPUs take disjoint slots of it.
 *
 * Scratch, one slot per CPU (values of the walk live here and not in registers, so that the verifier sees
 * an unknown number where it would otherwise follow a new range in every iteration):
 * ```
 *  0            TEMPORARY_COUNT * 8        RECORD_OFFSET
 *  ┌────────────┬───────────────────────────┬────────────────────────────────┐
 *  │ temporaries│ (to the next 64 bytes)    │ the record being written       │
 *  └────────────┴───────────────────────────┴────────────────────────────────┘
 * ```
 * State, mapped into user space:
 * ```
 *  0       64                    64 + STATE_SLOT_BYTES
 *  ┌───────┬─────────────────────┬──────────────────────┬───
 *  │ wake  │ CPU 0: seq, produced│ CPU 1 …              │
 *  │       │ [32], lost[32]      │                      │
 *  └───────┴─────────────────────┴──────────────────────┴───
 * ```
 */

import type { MapSpec } from '../map.js'

export const SCRATCH_MAP = 'scratch'
export const STATE_MAP = 'state'
export const RING_MAP = 'ring'

/** 8-byte temporaries at the start of a scratch slot. */
export const TEMPORARY_COUNT = 64
export const RECORD_OFFSET = TEMPORARY_COUNT * 8

/** Temporaries with a fixed meaning; those from `FREE_TEMPORARY` on are handed out by the compiler. */
export const TEMP_CURSOR = 0
export const TEMP_DENTRY = 8
export const TEMP_MOUNT = 16
export const TEMP_ROOT_DENTRY = 24
export const TEMP_ROOT_MOUNT = 32
export const TEMP_NEXT = 40
export const TEMP_PATH_LENGTH = 48
export const TEMP_FLAGS = 56
export const FREE_TEMPORARY = 64

/** u32 in the state map that tells the kernel side whether the reader sleeps. */
export const STATE_WAKE = 0
/** The reader will poll again by itself: never wake it. */
export const WAKE_NEVER = 0
/** The reader sleeps until something comes: wake it for the next record. */
export const WAKE_ON_RECORD = 1
/** The reader sleeps for a short, fixed time: wake it early once half the ring is filled. */
export const WAKE_ON_BACKLOG = 2

export const STATE_CPU_OFFSET = 64
export const STATE_SLOT_BYTES = 576
/** u64 within a CPU's slot: records written or lost so far. */
export const STATE_SEQ = 0
/** u64[32] within a CPU's slot: records that reached the ring, by type. */
export const STATE_PRODUCED = 64
/** u64[32] within a CPU's slot: records that found no room, by type. */
export const STATE_LOST = STATE_PRODUCED + 256

/** Bytes of one CPU's scratch slot for records of up to `maxRecordBytes`. */
export function scratchSlotBytes(maxRecordBytes: number): number {
  return Math.ceil((RECORD_OFFSET + maxRecordBytes) / 64) * 64
}

export function scratchMap(cpus: number, slotBytes: number): MapSpec {
  return { name: SCRATCH_MAP, type: 'array', keySizeBytes: 4, valueSizeBytes: cpus * slotBytes, maxEntries: 1 }
}

export function stateMap(cpus: number): MapSpec {
  return {
    name: STATE_MAP,
    type: 'array',
    keySizeBytes: 4,
    valueSizeBytes: STATE_CPU_OFFSET + cpus * STATE_SLOT_BYTES,
    maxEntries: 1,
    mmapable: true,
  }
}
