/** Process records for tests, and a pipeline that takes them. */

import { encodeRecord, type FieldsOf, type RecordLayout } from 'quark-ebpf/probe'
import type { AggregationTable } from '../aggregate/table.js'
import { OPTIONS, type QuarkEvent } from '../kinds/index.js'
import type { EventFilter, Kind, TableContext } from '../kinds/kind.js'
import { worldOf } from '../kinds/world.js'
import { TimeBase } from '../event/time-base.js'
import { defaultOf, type OptionSpecs } from '../options/spec.js'
import { defaultAggregation, kinds } from '../kinds/index.js'
import {
  commLayout,
  execFailedLayout,
  execLayout,
  exitLayout,
  exitUsageLayout,
  forkLayout,
  idChangeLayout,
  snapshotLayout,
  threadExitLayout,
  threadForkLayout,
} from '../kinds/process/records.js'
import { cgroupMkdirLayout, cgroupRenameLayout } from '../kinds/cgroup/records.js'
import { HAS_ENDING, HAS_IDENTITY } from '../process/known.js'
import { Pipeline } from '../pipeline/pipeline.js'

const layouts = {
  fork: forkLayout,
  exec: execLayout,
  exit: exitLayout,
  exitUsage: exitUsageLayout,
  idChange: idChangeLayout,
  comm: commLayout,
  snapshot: snapshotLayout,
  threadFork: threadForkLayout,
  threadExit: threadExitLayout,
  execFailed: execFailedLayout,
  cgroupMkdir: cgroupMkdirLayout,
  cgroupRename: cgroupRenameLayout,
}

/** All `HAS_` bits of an identity and of an ending. */
const KNOWS_ALL = HAS_IDENTITY | HAS_ENDING

/** Names of the records that `record` makes. */
export type RecordName = keyof typeof layouts

type ValuesOf<L> = L extends RecordLayout<infer F> ? Partial<FieldsOf<F>> : never

/** A record by its name, which knows everything by default; without `seq` it has no number. */
export function record<N extends RecordName>(
  name: N,
  timeNs: number | bigint,
  values: ValuesOf<(typeof layouts)[N]>,
  { cpu = 0, seq = 0 }: { cpu?: number; seq?: number } = {},
): Uint8Array {
  return encodeRecord(
    layouts[name] as RecordLayout,
    { cpu, seq, timeNs: BigInt(timeNs) },
    { known: KNOWS_ALL, ...values },
  )
}

/** NUL-terminated strings, as argv is. */
export function strings(...texts: string[]): Uint8Array {
  return Buffer.from(texts.map((text) => `${text}\0`).join(''))
}

export interface TestPipelineOptions {
  /** As the pipeline has them; one for each of any number of CPUs when absent. */
  readonly lanes?: { readonly cpus: number; readonly levels: number }
  readonly kinds?: readonly Kind[]
  readonly aggregation?: AggregationTable
  readonly maxLength?: number
  readonly maxBufferBytes?: number
  readonly holdMs?: number
  readonly releaseEarly?: boolean
  readonly graceMs?: number
  readonly maxProcesses?: number
  readonly maxTableBytes?: number
  readonly snapshotEvents?: boolean
  readonly bootEpochNs?: bigint
  readonly filter?: EventFilter
  readonly processSockets?: number
  readonly files?: readonly string[]
}

/** A pipeline with the defaults of a queue. */
export function testPipeline(options: TestPipelineOptions = {}): Pipeline {
  const { graceMs = 4000, maxProcesses = 65_536, snapshotEvents = false, bootEpochNs = 0n } = options
  const { maxTableBytes = 32 << 20 } = options
  const timeBase = new TimeBase(bootEpochNs)
  const settings = {
    ...defaultsOf(OPTIONS),
    graceMs,
    holdMs: options.holdMs ?? 0,
    maxProcesses,
    maxTableBytes,
    snapshot: snapshotEvents,
    maxSockets: 65_536,
    maxSocketBytes: 32 << 20,
    socketGraceMs: 4000,
    processSockets: options.processSockets ?? 0,
    files: options.files ?? false,
  } as unknown as TableContext['settings']
  return new Pipeline(
    {
      kinds: options.kinds ?? kinds,
      aggregation: options.aggregation ?? defaultAggregation(),
      maxLength: options.maxLength ?? 10_000,
      maxBufferBytes: options.maxBufferBytes ?? 16 << 20,
      holdMs: options.holdMs ?? 1000,
      releaseEarly: options.releaseEarly ?? true,
      ...options.lanes,
    },
    worldOf(options.kinds ?? kinds, {
      settings,
      timeBase,
      hierarchy: undefined,
      filter: options.filter,
    }),
  )
}

/** The defaults of options that have one. */
function defaultsOf(specs: OptionSpecs): object {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, defaultOf(spec)]))
}

/** Inserts one record, from memory that is overwritten afterwards, as a ring's is. */
export function insert(pipeline: Pipeline, bytes: Uint8Array): void {
  const memory = Buffer.alloc(Math.ceil(bytes.length / 8) * 8 + 16, 0xee)
  memory.set(bytes, 8)
  const copy = memory.buffer.slice(memory.byteOffset, memory.byteOffset + memory.length)
  const words = new Uint32Array(copy)
  pipeline.insert(words, Buffer.from(copy), 8, bytes.length)
  words.fill(0xdddddddd)
}

/** Inserts all records and returns the events of everything that is held. */
export function eventsOf(pipeline: Pipeline, records: readonly Uint8Array[]): QuarkEvent[] {
  for (const bytes of records) insert(pipeline, bytes)
  const events: QuarkEvent[] = []
  pipeline.flush(events)
  return events
}
