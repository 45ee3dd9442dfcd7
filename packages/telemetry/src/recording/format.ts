/**
 * The recording format: what the pipeline was given, byte for byte and call for call, so that a replay
 * delivers the same events. All numbers are little-endian.
 *
 * ```
 *  file   = "QUARKREC" · u32 version · u32 length · header (JSON) · padding to 8 bytes · frame*
 *  frame  = u32 kind · u32 length · u32 crc32 · u32 flags · payload · padding to 8 bytes
 *
 *  payload by kind
 *  1 step      u64 nowNs (CLOCK_BOOTTIME) · { u32 length · u32 0 · record · padding to 8 }*
 *  2 snapshot  as step: records of what a scan found, nowNs is the time of the scan
 *  3 cgroups   JSON: [id, path][]; version 1 only
 *  4 lost      JSON: { cause, count }, known to the backend alone
 *  5 clock     JSON: { bootEpochNs }: the wall clock was set
 *  6 end       JSON: { nowNs }, and everything that is still held is delivered; a file without it was cut short
 *  7 missing   JSON: { cpu, seq }: all records of that lane up to that number have come, or are lost
 *  8 table     JSON: { kind, value }: what the table of a kind has learnt from elsewhere than from records
 *  9 losses    JSON: { total, uids: [uid, count][], pids: [pid, count][], fromNs, toNs }: whose records were lost
 *  10 crowding JSON: { part }: which part of the limits of held records is used from now on
 * ```
 *
 * The checksum is of the kind, the length and the flags, and of the payload; in version 1 of the payload alone. A reader
 * passes over frames of kinds that it does not know, unless their flags say that they are essential.
 */

export const MAGIC = 'QUARKREC'
export const VERSION = 2
/** The version of quark 0.1.0. */
export const FIRST_VERSION = 1
export const FILE_HEADER_BYTES = 16
export const FRAME_HEADER_BYTES = 16

export const FRAME_STEP = 1
export const FRAME_SNAPSHOT = 2
export const FRAME_CGROUPS = 3
export const FRAME_LOST = 4
export const FRAME_CLOCK = 5
export const FRAME_END = 6
export const FRAME_MISSING = 7
export const FRAME_TABLE = 8
export const FRAME_LOSSES = 9
export const FRAME_CROWDING = 10

/** Flag of a frame without which the rest means something else. */
export const FRAME_ESSENTIAL = 1

/** Bytes before each record of a step. */
export const RECORD_HEADER_BYTES = 8
/** Every record begins with its type, its lane, its number and its time. */
export const MIN_RECORD_BYTES = 16
/** No frame is larger; one with a larger length is broken. */
export const MAX_FRAME_BYTES = 64 << 20

/** A field of a fixed size, where it lies in a record. */
export interface RecordedField {
  readonly name: string
  /** `u32`, `chars` … */
  readonly type: string
  readonly offset: number
  readonly size: number
}

/** A variable part of a record: its descriptor is at `offset`. Their bytes follow each other in this order. */
export interface RecordedTail {
  readonly name: string
  readonly type: string
  readonly offset: number
}

/** A type of records, with all that is needed to read them. */
export interface RecordedType {
  /** Name of the kind that has it; empty in version 1. */
  readonly kind: string
  readonly name: string
  /** The number at the start of each of its records. */
  readonly type: number
  /** Bytes before the first tail. */
  readonly size: number
  /** Written by quark itself: its records have no numbers. */
  readonly isOwn?: boolean
  readonly fields: readonly RecordedField[]
  readonly tails: readonly RecordedTail[]
}

/** The header of a recording. */
export interface RecordingHeader {
  /** CLOCK_BOOTTIME when the queue was opened, ns, decimal. */
  readonly openBootNs: string
  /** CLOCK_REALTIME less CLOCK_BOOTTIME, ns, decimal. */
  readonly bootEpochNs: string
  /** The kernel's UUID of the boot; absent in version 1, and if it is not known. */
  readonly bootId?: string
  readonly kernel: string
  readonly architecture: string
  /** The machine, with the members that are known; absent in files of 0.1.0. */
  readonly host?: Readonly<Record<string, unknown>>
  /** Secrets in records were replaced; absent when they were not. */
  readonly isRedacted?: true
  /** CPUs that records can come from. */
  readonly cpus: number
  /** Lanes of each CPU; 1 when absent. */
  readonly levels?: number
  readonly backend: string
  readonly attached: readonly { fact: string; hook: string; flavor: string }[]
  readonly missing: readonly { fact: string; reason: string }[]
  /** Every type that its records can have. */
  readonly types: readonly RecordedType[]
  /** Options that change which events come out; a replay uses them unless it is given others. */
  readonly options: Readonly<Record<string, unknown>>
  /** Which kind an option is of, for those that are not of every queue. */
  readonly optionKinds: Readonly<Record<string, string>>
}

/** `length` rounded up so that what follows begins at a multiple of 8. */
export function padded(length: number): number {
  return Math.ceil(length / 8) * 8
}
