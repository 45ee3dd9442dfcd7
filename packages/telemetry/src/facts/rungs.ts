/** Rungs: ways to learn a fact, one per backend, and what makes records of a backend's messages. */

import type { AuditRecord, Fd, ProcMessage, RecordSink, SessionMap } from 'quark-ebpf'
import type {
  EncodableFieldsOf,
  FieldPlace,
  Fields,
  FunctionEntry,
  MapParts,
  Probe,
  RecordLayout,
  TailLimits,
  TypedMap,
} from 'quark-ebpf/probe'

/**
 * Hands `sink` a record of each object that the iterators of a fact walk through now. False if the fact is not learnt
 * by iterators.
 */
export type Walk = (fact: string, sink: RecordSink) => boolean

/** One way to learn a fact, by the backend that has it; a `source` goes with any backend. */
export type Rung = EbpfRung | KprobeRung | ProcConnectorRung | AuditRung | SourceRung

/** Something that a rung leaves out of its fact. */
export interface Lack {
  /** Name in `Capabilities.missing`. */
  readonly what: string
  readonly reason: string
  /** First version of Linux on which it is not left out. */
  readonly until?: string
}

/** Programs: all of them must run. */
export interface EbpfRung {
  readonly by: 'ebpf'
  readonly probes: readonly Probe[]
  readonly lacks?: readonly Lack[]
  /** Facts that are learnt beside this one (`Fact.besides`) add nothing to it. */
  readonly isWhole?: true
  /** Makes records of what the programs keep in their maps. */
  readonly reader?: MapReader
}

/** A reader in user space of the maps of a rung's programs. */
export interface MapReader {
  readonly fills: readonly RecordLayout[]
  /** Called when the programs are attached; the maps cannot be read any more when the source is closed. */
  open(context: SourceContext, maps: Maps): Source
}

/** The maps behind declarations. */
export interface Maps {
  /** Undefined when no program that is attached uses it. */
  map<K extends MapParts, V extends MapParts>(declared: TypedMap<K, V>): SessionMap<K, V> | undefined
}

/** The map behind a declaration of a type. */
export type ReadMap<T> = T extends TypedMap<infer K, infer V> ? SessionMap<K, V> : never

/** Kprobe events and tracepoints: all of them must be there. */
export interface KprobeRung {
  readonly by: 'kprobe'
  readonly hooks: readonly (FunctionHook | TracepointHook)[]
  readonly lacks?: readonly Lack[]
}

/** The kernel functions at whose entry a probe's record can be made. */
export interface FunctionHook {
  readonly probe: Probe
  /** Choices in order of preference. All functions of a choice are needed. */
  readonly entries: readonly (readonly FunctionEntry[])[]
  /** Tries to get elsewhere what was cut in the kernel. */
  readonly complete?: Complete
}

/**
 * Replaces fields of a record that were cut by whole ones, and returns the names of those that stay cut. It may only do
 * so if what is known is a part of the whole, so that nothing newer gets into an older record.
 */
export type Complete = (fields: Record<string, unknown>, cut: readonly string[]) => readonly string[]

/** A tracepoint whose fields are all that its record needs. */
export interface TracepointHook {
  readonly category: string
  readonly name: string
  readonly layout: RecordLayout
  /**
   * Finds the fields of the record in the format of this kernel; undefined if it has others. What it returns reads one
   * hit, and returns undefined for bytes that it does not understand.
   */
  readonly bind: (fields: ReadonlyMap<string, FieldPlace>) => ReadTracepoint | undefined
}

/** Values of a record's fields, out of the bytes of a hit. */
export type ReadTracepoint = (raw: Buffer) => Readonly<Record<string, unknown>> | undefined

/** Messages of the proc connector. */
export interface ProcConnectorRung {
  readonly by: 'procConnector'
  /** Names of the messages, for `Capabilities`. */
  readonly messages: string
  readonly fills: readonly RecordLayout[]
  /** Fields of these records that it never fills: `record.field`. */
  readonly leaves?: readonly string[]
  readonly maker: MakerSpec<TimedProcMessage>
  readonly lacks?: readonly Lack[]
}

/** A message, and its time as records have it. */
export type TimedProcMessage = ProcMessage & {
  /** CLOCK_BOOTTIME. */
  readonly timeNs: bigint
}

/** Events of the audit system. */
export interface AuditRung {
  readonly by: 'audit'
  /** Names of the calls, for `Capabilities`. */
  readonly hook: string
  readonly calls: readonly AuditedCall[]
  /** Records that are events by themselves. */
  readonly records?: readonly AuditedRecord[]
  readonly fills: readonly RecordLayout[]
  /** Fields of these records that it never fills: `record.field`. */
  readonly leaves?: readonly string[]
  readonly maker: MakerSpec<AuditEvent>
  readonly lacks?: readonly Lack[]
}

/** The architectures whose calls the audit system distinguishes. */
export type AuditArchitecture = 'x86_64' | 'i386' | 'aarch64'

/** A system call that is audited, or several that mean the same. */
export interface AuditedCall {
  readonly numbers: Readonly<Record<AuditArchitecture, readonly number[]>>
  /** Calls that fail, and those that never return, are audited too. */
  readonly always?: boolean
  /** Only calls with this first argument. */
  readonly firstArgument?: number
  /** Sorts before all other calls of its step of audit's clock: a fork must come before the child's calls. */
  readonly isFirst?: boolean
}

/** An audit record without a system call. */
export interface AuditedRecord {
  readonly type: number
  /** Name of what is learnt by it, and of its hook, for `Capabilities`. */
  readonly what: string
  readonly hook: string
}

/** A system call with the records that belong to it, or a record that is an event by itself. */
export interface AuditEvent {
  /** `AUDIT_SYSCALL`, or that of the only record. */
  readonly type: number
  /** Only of system calls. */
  readonly call?: { readonly architecture: AuditArchitecture; readonly number: number }
  readonly pid: number
  /** Fields of the SYSCALL record, or of the only one. */
  readonly fields: AuditRecord['fields']
  readonly records: readonly AuditRecord[]
  /** CLOCK_BOOTTIME, to a step of audit's clock; events of one process keep their order. */
  readonly timeNs: bigint
}

/** Opens a maker of records. Rungs that name the same object share one maker. */
export interface MakerSpec<Message> {
  /** Facts that it adds from other sources than the messages. */
  readonly adds?: readonly { readonly what: string; readonly hook: string; readonly flavor: string }[]
  /** Called once, when the first message may come. */
  open(context: MakerContext): Maker<Message>
}

export interface MakerContext {
  readonly records: RecordWriter
  /** Stands for a CPU where the message does not say which it was. */
  readonly unknownCpu: number
}

/** Takes records that are made in user space. */
export interface RecordWriter {
  /** Makes a record; fields that are left out are unknown, tails are cut at `limits`. Without room it is counted as lost. */
  push<F extends Fields>(
    layout: RecordLayout<F>,
    at: { readonly cpu: number; readonly timeNs: bigint },
    values: Partial<EncodableFieldsOf<F>>,
    limits?: TailLimits<F>,
  ): void
  /** All that was pushed so far is complete: it is put in order of time, and numbered. */
  settle(): void
}

/** Makes records of messages. `take` and `make` come in turns. */
export interface Maker<Message> {
  /** Records that lack facts because their subject was gone before it could be read. */
  readonly unenriched: number
  /** Handles messages, oldest first, and reads whatever else is needed about them. */
  take(messages: readonly Message[]): void
  /**
   * Writes the records of the messages that were taken.
   *
   * @param later messages that came meanwhile, to be taken next: what they changed may have been read too late
   */
  make(later: readonly Message[]): void
  /** Called when no message waits. */
  idle(): void
}

/** A reader in user space that runs beside a backend. */
export interface SourceRung {
  readonly by: 'source'
  /** For `Capabilities`: `netlink/sock_diag`, and how it is read. */
  readonly hook: string
  readonly flavor: string
  readonly fills: readonly RecordLayout[]
  /** Fields of these records that it never fills: `record.field`. */
  readonly leaves?: readonly string[]
  readonly lacks?: readonly Lack[]
  /** @throws {EbpfError} or {QuarkError} if it does not work here: the next rung is tried then */
  open(context: SourceContext): Source
}

export interface SourceContext {
  readonly clock: SourceClock
  /** Walks through what the iterators of a fact find, while the backend runs; false before and afterwards. */
  readonly walk: Walk
  /** Makes a record of something that happened at `timeNs` of CLOCK_BOOTTIME; else as `RecordWriter.push`. */
  push<F extends Fields>(
    layout: RecordLayout<F>,
    at: { readonly timeNs: bigint },
    values: Partial<EncodableFieldsOf<F>>,
    limits?: TailLimits<F>,
  ): void
  /** Counts records that could not be made, as what they are made of was dropped or had no room. */
  noteLost(count: number, layout: RecordLayout): void
}

/** The clocks of a queue. */
export interface SourceClock {
  /** CLOCK_BOOTTIME in ns. */
  bootNowNs(): number
  /** The wall clock less CLOCK_BOOTTIME. */
  readonly bootEpochNs: bigint
}

/** A source that is open. It never throws for what it reads: that is counted as lost. */
export interface Source {
  /** Readable when there is something to read. They stay the source's, which closes them. */
  readonly fds?: readonly Fd[]
  /** How often to read without being woken, in ms, now; default: whenever records are taken. */
  readonly pollMs?: number | undefined
  /** For how long after it found something its descriptors wake nobody, in ms: many things at once are read together. */
  readonly restMs?: number
  /** Makes records of what there is; never blocks, and takes no more than some ms. */
  read(): void
  /** After `stop`: not all of it was read yet. Without it, a `read` that makes no record was the last one. */
  readonly hasMore?: boolean
  /** Every record that the backend made up to this time of CLOCK_BOOTTIME, in ns, was handed over. */
  drained?(upToNs: number): void
  /** Stops watching, before the backend does; `read` still makes records of what happened before. */
  stop(): void
  close(): void
}

/** The layouts of the records that a rung fills: those of iterators go to the scan that walks, not to the ring. */
export function layoutsOf(rung: Rung): RecordLayout[] {
  switch (rung.by) {
    case 'ebpf':
      return [
        ...rung.probes.flatMap(({ hook, record }) => (hook.kind === 'iterator' ? [] : (record ?? []))),
        ...(rung.reader?.fills ?? []),
      ]
    case 'kprobe':
      return rung.hooks.flatMap((hook) => ('probe' in hook ? (hook.probe.record ?? []) : hook.layout))
    default:
      return [...rung.fills]
  }
}

/** The probes of each rung of programs. */
export function probesOf(rungs: readonly Rung[]): (readonly Probe[])[] {
  return rungs.flatMap((rung) => (rung.by === 'ebpf' ? [rung.probes] : []))
}
