/** Kprobe events for a plan: as many on one function as its arguments need, and their records read together. */

import type { FetchArg, FetchedValues } from './fetch-list.js'

/** The kernel's limits on one event. */
export interface EventLimits {
  /** Most bytes of a record, strings at their longest: more than PERF_MAX_TRACE_SIZE warns in the kernel's log. */
  readonly maxRecordBytes: number
  /** Characters of the command that are taken before the arguments. */
  readonly headChars: number
}

/** Longest command (WRITE_BUFSIZE in kernel/trace/trace.c, less line end and terminator). */
const MAX_COMMAND_CHARS = 4094
/** MAX_TRACE_ARGS. */
const MAX_ARGS = 128
/** Bytes of an event's record before the arguments: common fields and the probed address. */
const HEAD_BYTES = 16
/** Most bytes of the fixed part: newer kernels refuse more than 3072. */
const MAX_FIXED_BYTES = 2000

/** Where a field of a record lies; dynamic ones hold offset and length of their bytes. */
export interface FieldPlace {
  readonly offset: number
  readonly sizeBytes: number
  readonly dynamic: boolean
}

/** Distributes arguments over events, in order. Returns the indexes of each event's arguments. */
export function splitArgs(args: readonly FetchArg[], { maxRecordBytes, headChars }: EventLimits): number[][] {
  const events: number[][] = []
  let current: number[] = []
  let chars = headChars
  let fixedBytes = HEAD_BYTES
  let recordBytes = HEAD_BYTES
  for (const [index, arg] of args.entries()) {
    const argChars = eventArg(arg).length + 1
    const argBytes = arg.sizeBytes + arg.maxStringBytes
    const isFull =
      current.length === MAX_ARGS ||
      chars + argChars > MAX_COMMAND_CHARS ||
      fixedBytes + arg.sizeBytes > MAX_FIXED_BYTES ||
      recordBytes + argBytes > maxRecordBytes
    if (isFull && current.length > 0) {
      events.push(current)
      current = []
      chars = headChars
      fixedBytes = HEAD_BYTES
      recordBytes = HEAD_BYTES
    }
    current.push(index)
    chars += argChars
    fixedBytes += arg.sizeBytes
    recordBytes += argBytes
  }
  if (current.length > 0) events.push(current)
  return events
}

/** An argument as the command has it. */
export function eventArg({ name, text }: FetchArg): string {
  return `${name}=${text}`
}

/** Where an argument is found: in which event's record, and at which place. */
export interface ArgPlace {
  readonly event: number
  readonly field: FieldPlace
}

/** The values of one hit, out of the records of its events. */
export class EventValues implements FetchedValues {
  readonly #places: readonly ArgPlace[]
  readonly #records: readonly Buffer[]

  /** `records` has one for each event, none shorter than its fixed part. */
  constructor(places: readonly ArgPlace[], records: readonly Buffer[]) {
    this.#places = places
    this.#records = records
  }

  number(index: number): bigint {
    const { event, field } = this.#places[index] as ArgPlace
    const record = this.#records[event] as Buffer
    if (field.sizeBytes === 8) return record.readBigUInt64LE(field.offset)
    return BigInt(record.readUIntLE(field.offset, field.sizeBytes))
  }

  bytes(index: number): Buffer {
    const { event, field } = this.#places[index] as ArgPlace
    const record = this.#records[event] as Buffer
    if (!field.dynamic) return record.subarray(field.offset, field.offset + field.sizeBytes)
    return dynamicBytes(record, field)
  }
}

/** The bytes that a dynamic field of a record leads to; none when they would lie outside of it. */
export function dynamicBytes(record: Buffer, { offset }: FieldPlace): Buffer {
  const place = record.readUInt32LE(offset)
  const start = place & 0xffff
  return record.subarray(start, start + (place >>> 16))
}
