/**
 * Memory that the generated programs work in: one map with one entry, so that its address is a constant of
 * each program and no lookup happens at run time. Each CPU has a slot for every level of nesting (levels.ts), made of
 * whole pages. The first level's is the last of its CPU, and the largest:
 *
 * ```
 *  CPU 0                                     CPU 1
 *  ┌─────────┬─────────┬───────────────────┬─────────┬─────────┬───────────────────┐
 *  │ level 2 │ level 1 │ level 0           │ level 2 │ level 1 │ level 0           │
 *  └─────────┴─────────┴───────────────────┴─────────┴─────────┴───────────────────┘
 * ```
 *
 * A level of a CPU is a lane: it has its own record in the making, its own numbers, and its own ring where CPUs have
 * rings. A slot:
 *
 * ```
 *  0       8      16     24   28     32     36    40            552       1064    1112    1880          2624
 *  ┌───────┬──────┬──────┬────┬──────┬──────┬─────┬─────────────┬─────────┬───────┬───────┬─────────────┬────────┐
 *  │ wake, │ head │ tail │ seq│ depth│ ring,│ mask│ produced[64]│ lost[64]│ rarely│ shares│ temporaries │ record │
 *  └───────┴──────┴──────┴────┴──────┴──────┴─────┴─────────────┴─────────┴───────┴───────┴─────────────┴────────┘
 *   the first page is mapped into user space                                                being written
 * ```
 *
 * All of it lies together because a short program pays mostly for the first access to a page or cache line: the counts
 * of the first types of records share a line with what every run writes. Values of a walk live in temporaries and not
 * in registers, so that the verifier sees an unknown number where it would otherwise follow a new range in every
 * iteration.
 *
 * Where each CPU has rings of its own (`output.ts`), a second map holds them, again in one entry.
 */

import type { MapSpec } from './map-spec.js'

export const SCRATCH_MAP = 'scratch'
/** The ring that all CPUs share, or that only wakes the reader when each has its own. */
export const RING_MAP = 'ring'
export const CPU_RINGS_MAP = 'cpu_rings'

/** Most levels that a CPU can have: a task, a softirq in it, an interrupt in that, and one that cannot be masked. */
export const MAX_LEVELS = 4
/** Types of records that one session can count. */
export const COUNTERS = 64
/** Kinds whose share of a ring one session can bound. */
export const MAX_SHARES = 32
/** Probes of one session that can have a stand-in. */
export const MAX_NOTES = 128

/** u32: whether the reader of this lane sleeps, for the programs that write to it. */
export const SLOT_WAKE = 0
/** The reader will poll again by itself: never wake it. */
export const WAKE_NEVER = 0
/** The reader sleeps until something comes: wake it for the next record. */
export const WAKE_ON_RECORD = 1
/** The reader sleeps for a short, fixed time: wake it early once half the ring is filled. */
export const WAKE_ON_BACKLOG = 2

/** u32: which position, by its lower half, is the first byte of this lane's ring. */
export const SLOT_ORIGIN = 4
/** u64: bytes that programs have written to the ring of this lane so far. */
export const SLOT_HEAD = 8
/** u64: bytes of them that the reader has consumed; written by the reader. */
export const SLOT_TAIL = 16
/** u32: records written or lost so far on this lane. */
export const SLOT_SEQ = 24
/** u32: nested programs that run on this CPU; only in the first level's slot. */
export const SLOT_DEPTH = 28
/** u32: where in the map of rings this lane's ring begins; written by the session. */
export const SLOT_RING = 32
/** u32: bytes of this lane's ring, less one; written by the session. */
export const SLOT_RING_MASK = 36
/** u64[64]: records that reached the ring, by the counter of their type. */
export const SLOT_PRODUCED = 40
/** u64[64]: records that found no room, by the counter of their type. */
export const SLOT_LOST = 552
/** u64: runs that the kernel skipped and that a stand-in made up for (stand-in.ts). */
export const SLOT_STOOD_IN = 1064
/** u64: runs that found no free level; only in the first level's slot. */
export const SLOT_TOO_DEEP = 1072
/** u32: where in the map the slot of this CPU's first level begins; written by the session. */
export const SLOT_FIRST_LEVEL = 1080
/** u64: records that were shortened since the ring was scarce (fairness.ts). */
export const SLOT_SHORTENED = 1088
/** u32: bytes of this lane's ring that users share; written by the reader (fairness.ts). */
export const SLOT_FAIR_BYTES = 1096
/** Of each kind that has a share: see `SHARE_*`. */
export const SLOT_SHARES = 1112
export const SHARE_BYTES = 24
/** u64: bytes that records of the kind took in the ring so far. */
export const SHARE_WRITTEN = 0
/** u64: bytes of them that the reader has consumed; written by the reader. */
export const SHARE_CONSUMED = 8
/** u64: bytes that may wait; written by the session. */
export const SHARE_LIMIT = 16

/** First of the 8-byte temporaries, and the end of them. */
export const FIRST_TEMPORARY = 1880
export const END_OF_TEMPORARIES = 2624
export const RECORD_OFFSET = 2624

/** Temporaries with a fixed meaning; those from `FREE_TEMPORARY` on are handed out by the compiler. */
export const TEMP_CURSOR = 1880
export const TEMP_DENTRY = 1888
export const TEMP_MOUNT = 1896
export const TEMP_ROOT_DENTRY = 1904
export const TEMP_ROOT_MOUNT = 1912
export const TEMP_NEXT = 1920
export const TEMP_PATH_LENGTH = 1928
export const TEMP_FLAGS = 1936
export const FREE_TEMPORARY = 1944

/** Values of maps are made in the place of the record: its header, and the largest value (maps.ts). */
const LEAST_WORK_BYTES = 1024

/** A record is copied in steps of so many bytes, the last of which may reach beyond it. */
export const COPY_STEP_BYTES = 32

/** What one stand-in notes (stand-in.ts); all notes of a CPU are at the end of its first level's slot. */
export const NOTE_BYTES = 24 + 8 * 8
const NOTES_BYTES = MAX_NOTES * NOTE_BYTES

/** What decides the size of slots and of rings. */
export interface LevelSizes {
  readonly levels: number
  /** Bytes of the largest record of any probe. */
  readonly maxRecordBytes: number
  /** Bytes of the largest record of a probe that may interrupt another one; larger ones work on the first level only. */
  readonly nestedRecordBytes: number
}

/** Where the slots are. */
export interface ScratchLayout {
  readonly levels: number
  readonly nestedRecordBytes: number
  /** Bytes of the first level's slot. */
  readonly firstBytes: number
  /** Bytes of any other level's slot. */
  readonly nestedBytes: number
  /** From one CPU to the next. */
  readonly cpuBytes: number
}

export function scratchLayout(sizes: LevelSizes, pageBytes: number): ScratchLayout {
  const { levels, maxRecordBytes, nestedRecordBytes } = sizes
  const slotBytes = (recordBytes: number): number => RECORD_OFFSET + recordBytes + COPY_STEP_BYTES
  const workBytes = Math.max(maxRecordBytes, LEAST_WORK_BYTES)
  const firstBytes = wholePages(slotBytes(workBytes) + NOTES_BYTES, pageBytes)
  const nestedBytes = wholePages(slotBytes(nestedRecordBytes), pageBytes)
  return {
    levels,
    nestedRecordBytes,
    firstBytes,
    nestedBytes,
    cpuBytes: firstBytes + (levels - 1) * nestedBytes,
  }
}

/** Where the slot of a level begins within its CPU's part of the map. */
export function levelOffset({ levels, nestedBytes }: ScratchLayout, level: number): number {
  return (levels - 1 - level) * nestedBytes
}

/** Where the notes of stand-ins begin within their CPU's part of the map. */
export function notesOffset({ cpuBytes }: ScratchLayout): number {
  return cpuBytes - NOTES_BYTES
}

function wholePages(bytes: number, pageBytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes
}

export function scratchMap(cpus: number, { cpuBytes }: ScratchLayout): MapSpec {
  return {
    name: SCRATCH_MAP,
    type: 'array',
    keySizeBytes: 4,
    valueSizeBytes: cpus * cpuBytes,
    maxEntries: 1,
    mmapable: true,
  }
}

/**
 * Rings of the CPUs, one behind the other in one map, in the order of the slots. A position is bytes since creation, and
 * its place the distance from the origin modulo the size. Each record is its length (u32), four unused bytes, and its
 * bytes, padded to 8. Behind each ring is room for the largest record, so that none ever wraps.
 *
 * A program that finds the ring empty makes the head the origin, and begins with the first byte again: a reader that
 * keeps up has programs write to a few lines that the CPU still has, and not through all of the ring.
 */
export interface CpuRingsLayout {
  readonly levels: number
  /** Of the first level's ring; a power of two. */
  readonly sizeBytes: number
  /** Of any other level's ring; a power of two. */
  readonly nestedSizeBytes: number
  /** From a ring of another level to the next ring: whole pages. */
  readonly nestedStrideBytes: number
  /** From one CPU to the next: whole pages. */
  readonly strideBytes: number
}

/** Bytes in front of each record in the ring of a CPU. */
export const CPU_RING_HEADER_BYTES = 8
/** A program that interrupts another one is rare: its level's ring is by so much smaller than that of the first. */
const NESTED_SHARE = 1 / 8

export function cpuRingsLayout(sizeBytes: number, sizes: LevelSizes, pageBytes: number): CpuRingsLayout {
  const { levels, maxRecordBytes, nestedRecordBytes } = sizes
  const nestedSizeBytes = Math.max(pageBytes, sizeBytes * NESTED_SHARE)
  const room = (recordBytes: number): number => CPU_RING_HEADER_BYTES + recordBytes + COPY_STEP_BYTES
  const firstStrideBytes = wholePages(sizeBytes + room(maxRecordBytes), pageBytes)
  const nestedStrideBytes = wholePages(nestedSizeBytes + room(nestedRecordBytes), pageBytes)
  return {
    levels,
    sizeBytes,
    nestedSizeBytes,
    nestedStrideBytes,
    strideBytes: firstStrideBytes + (levels - 1) * nestedStrideBytes,
  }
}

/** Where the ring of a level of a CPU begins in the map. */
export function ringOffset(layout: CpuRingsLayout, cpu: number, level: number): number {
  const { levels, strideBytes, nestedStrideBytes } = layout
  return cpu * strideBytes + (levels - 1 - level) * nestedStrideBytes
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
