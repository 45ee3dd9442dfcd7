/**
 * The recording format: what the pipeline was given, byte for byte and call for call, so that a replay
 * delivers the same events. All numbers are little-endian.
 *
 * ```
 *  file   = "QUARKREC" · u32 version · u32 length · header (JSON) · frame*
 *  frame  = u32 kind · u32 length · u32 crc32(payload) · u32 0 · payload · padding to 8 bytes
 *
 *  payload by kind
 *  1 step      u64 nowNs (CLOCK_BOOTTIME) · { u32 length · u32 0 · record · padding to 8 }*
 *  2 snapshot  as step: records of processes found in /proc, nowNs is the time of the scan
 *  3 cgroups   JSON: [id, path][]
 *  4 lost      JSON: { cause, count }, known to the backend alone
 *  5 clock     JSON: { bootEpochNs }: the wall clock was set
 *  6 end       JSON: { nowNs }, and everything that is still held is delivered; a file without it was cut short
 *  7 missing   JSON: { cpu, seq }: all records of that CPU up to that number have come, or are lost
 *  8 table     JSON: { kind, value }: what the table of a kind has learnt from elsewhere than from records
 * ```
 */

export const MAGIC = 'QUARKREC'
export const VERSION = 1
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

/** Bytes before each record of a step. */
export const RECORD_HEADER_BYTES = 8
/** No frame is larger: what claims to be is broken. */
export const MAX_FRAME_BYTES = 64 << 20

/** What a recording says of itself. */
export interface RecordingHeader {
  /** CLOCK_BOOTTIME when the queue was opened, ns, decimal. */
  readonly openBootNs: string
  /** CLOCK_REALTIME less CLOCK_BOOTTIME, ns, decimal. */
  readonly bootEpochNs: string
  readonly kernel: string
  readonly architecture: string
  /** CPUs that records can come from. */
  readonly cpus: number
  /** Lanes of each CPU; 1 when absent. */
  readonly levels?: number
  readonly backend: string
  readonly attached: readonly { fact: string; hook: string; flavor: string }[]
  readonly missing: readonly { fact: string; reason: string }[]
  /** Each record type's layout as text: a reader with other layouts must refuse. */
  readonly layouts: readonly string[]
  /** Options that change which events come out; a replay uses them unless told otherwise. */
  readonly options: Readonly<Record<string, unknown>>
}

/** `length` rounded up so that what follows begins at a multiple of 8. */
export function padded(length: number): number {
  return Math.ceil(length / 8) * 8
}
