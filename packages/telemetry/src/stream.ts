/** The first and the last event of a stream that is written: what it is of, and how it went. No queue delivers them. */

import type { Host } from './context/host.js'
import type { BaseEvent } from './event/event.js'
import type { Forms } from './event/forms.js'
import type { EventSpec, ObjectSpec } from './event/spec.js'
import type { AttachedFact, MissingFact } from './facts/fact.js'
import { catalogue } from './kinds/index.js'
import type { Declarations } from './output/specs.js'
import type { QuarkStats } from './pipeline/stats.js'

/** What a stream of events is of: the first line of JSON. */
export interface StartEvent extends BaseEvent, Forms<StartEvent> {
  readonly kind: 'start'
  /** Epoch ns at which the queue was opened; of a replay the one that was recorded. */
  readonly timeNs: bigint
  /** It stands at the head of a further file, and the stream began at that time in an earlier one. */
  readonly continued: boolean
  /** Of quark. */
  readonly version: string
  /** `replay` for a recording. */
  readonly backend: string
  /** Release of the kernel. */
  readonly kernel: string
  readonly host: Host
  /** The options of the queue, with every default filled in; of objects only that they are `custom`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly process: undefined
}

/** How it went: the last line of JSON. */
export interface EndEvent extends BaseEvent, Forms<EndEvent> {
  readonly kind: 'end'
  /** Epoch ns; of a replay that of the last record. */
  readonly timeNs: bigint
  readonly stats: QuarkStats
  readonly process: undefined
}

const hostObject: ObjectSpec<Host> = {
  name: 'host',
  doc: 'The machine that events come from; what is not known is absent',
  fields: {
    hostname: { type: 'string', doc: 'its name' },
    architecture: { type: 'string', doc: 'as `uname -m` says: `x86_64`, `aarch64`' },
    machineId: { type: 'string', doc: 'of machine-id(5): the same for all boots of an installation' },
    bootId: { type: 'string', doc: 'changes with every boot' },
    kernelRelease: { type: 'string', doc: 'as `uname -r` says' },
    osName: { type: 'string', doc: '`NAME` of os-release(5)' },
    osVersion: { type: 'string', doc: '`VERSION_ID` of os-release(5)' },
    osFull: { type: 'string', doc: '`PRETTY_NAME` of os-release(5)' },
    osId: { type: 'string', doc: '`ID` of os-release(5)' },
    osReleaseType: { type: 'string', doc: '`RELEASE_TYPE` of os-release(5)' },
    capabilities: { type: 'string', doc: 'all that its processes can have: the bounding set of process 1' },
    cloudProvider: { type: 'string', doc: 'whose cloud it runs in, as cloud-init or the firmware says' },
    cloudRegion: { type: 'string', doc: 'region of that' },
    cloudZone: { type: 'string', doc: 'availability zone of that' },
    cloudInstanceId: { type: 'string', doc: 'id of the machine there' },
    ips: { type: 'strings', doc: 'addresses of all interfaces that are up', isAlwaysKnown: true },
    macs: { type: 'strings', doc: 'link addresses', isAlwaysKnown: true },
  },
}

const attachedObject: ObjectSpec<AttachedFact> = {
  name: 'attachedFact',
  doc: 'Something that is learnt',
  fields: {
    fact: { type: 'string', doc: '`fork`, `exec`, `exit` …', isAlwaysKnown: true },
    hook: { type: 'string', doc: 'by which hook, such as `tp_btf/sched_process_exec`', isAlwaysKnown: true },
    flavor: { type: 'string', doc: 'how it is read there', isAlwaysKnown: true },
  },
}

const missingObject: ObjectSpec<MissingFact> = {
  name: 'missingFact',
  doc: 'Something that is not learnt, or not completely',
  fields: {
    fact: { type: 'string', doc: 'what', isAlwaysKnown: true },
    reason: { type: 'string', doc: 'why, and what to do about it', isAlwaysKnown: true },
  },
}

const count = { type: 'number', max: Number.MAX_SAFE_INTEGER, isAlwaysKnown: true } as const
const counts = { type: 'counts', isAlwaysKnown: true } as const

const statsObject: ObjectSpec<QuarkStats> = {
  name: 'stats',
  doc: 'Counters of a queue since it was opened',
  fields: {
    backend: { type: 'string', doc: 'where records came from', isAlwaysKnown: true },
    insertions: { ...count, doc: 'records put into the buffer, those of the scan of /proc included' },
    removals: { ...count, doc: 'records taken out of it again' },
    buffered: { ...count, doc: 'records that are held' },
    matched: { ...count, doc: 'events that passed the filters, without losses, which always do' },
    filtered: {
      ...count,
      doc: 'events that the filters left out; what the kernel leaves out is not among them',
    },
    undecided: {
      ...count,
      doc: 'of these, that might have passed: a secret is gone from the recording about which a filter asks',
    },
    untracked: {
      ...count,
      doc: 'processes of followed or excluded trees that found no room in the set of the kernel',
    },
    aggregations: { ...count, doc: 'events made of several records' },
    nonAggregations: { ...count, doc: 'events made of one record' },
    garbageCollections: { ...count, doc: 'processes that were removed after their grace time' },
    processes: { ...count, doc: 'processes in the table' },
    produced: { ...counts, doc: 'records that the backend made, by record, lost ones included' },
    lost: { ...count, doc: 'records that were lost' },
    lostRingFull: {
      ...counts,
      doc: 'of these, that found the ring full, by record; `unknown` if that is not known',
    },
    lostByUid: { ...counts, doc: 'of those, by real uid where that is known' },
    shortened: { ...count, doc: 'records whose strings were cut as the ring was nearly full' },
    lostRejected: { ...count, doc: 'records that could not be decoded' },
    lostRecursion: { ...count, doc: 'runs of a program that the kernel skipped' },
    lostUnseen: { ...count, doc: 'what the kernel counted and no record told of' },
    evicted: { ...count, doc: 'processes that were forgotten too early' },
    evictedForBytes: { ...count, doc: 'of these, since all were too large together' },
    cutProcesses: { ...count, doc: 'remembered processes whose strings were cut' },
    tableBytes: { ...count, unit: 'bytes', doc: 'memory of the processes in the table' },
    unenriched: { ...count, doc: 'records without what /proc no longer showed' },
    truncatedArgv: { ...count, doc: 'argument lists that were cut' },
    truncatedEnv: { ...count, doc: 'environments that were cut' },
    truncatedPaths: { ...count, doc: 'paths that were cut' },
    skipped: { ...counts, doc: 'what of a recording this version does not know, by name' },
    tables: { type: 'values', doc: 'counters of the tables of other kinds, by kind', isAlwaysKnown: true },
  },
}

const startSpec: EventSpec<StartEvent> = {
  kind: 'start',
  doc: 'What the stream is of: its first line, and that of each further file',
  subject: () => 0,
  fields: {
    continued: {
      type: 'flag',
      doc: 'it is repeated in a further file: `time` is when the stream began',
      ecs: 'quark.stream.continued',
    },
    version: { type: 'string', doc: 'of quark', isAlwaysKnown: true, ecs: 'quark.stream.version' },
    backend: {
      type: 'string',
      doc: 'where records come from; `replay` for a recording',
      isAlwaysKnown: true,
      ecs: 'quark.stream.backend',
    },
    kernel: { type: 'string', doc: 'release of the kernel', isAlwaysKnown: true },
    host: { type: 'object', object: hostObject, doc: 'the machine', isAlwaysKnown: true },
    options: {
      type: 'values',
      doc: 'options of `Quark.open` or `Quark.replay`, with every default filled in; `custom` for objects',
      isAlwaysKnown: true,
      ecs: 'quark.stream.options',
    },
    attached: {
      type: 'objects',
      object: attachedObject,
      doc: 'what is learnt',
      isAlwaysKnown: true,
      ecs: { path: 'quark.stream.attached', as: 'values' },
    },
    missing: {
      type: 'objects',
      object: missingObject,
      doc: 'what is not',
      isAlwaysKnown: true,
      ecs: { path: 'quark.stream.missing', as: 'values' },
    },
  },
  ecs: {
    action: 'stream-started',
    kind: 'state',
    category: ['host'],
    type: ['info'],
    dataset: 'quark.stream',
    describesHost: true,
  },
}

const endSpec: EventSpec<EndEvent> = {
  kind: 'end',
  doc: 'How it went: the last line. A stream without it was broken off',
  subject: () => 0,
  fields: {
    stats: {
      type: 'object',
      object: statsObject,
      doc: 'the counters',
      isAlwaysKnown: true,
      ecs: { path: 'quark.stream.stats', as: 'values' },
    },
  },
  ecs: { action: 'stream-ended', kind: 'state', category: ['host'], type: ['info'], dataset: 'quark.stream' },
}

/** All that can be written: the events of a queue, and the ends of a stream of them. */
export function withEnds({ events }: Declarations): Declarations {
  return { events: [startSpec, ...events, endSpec] }
}

/** All that can be written of a `Quark`. */
export const declarations: Declarations = withEnds(catalogue)

/** Values of options as JSON has them; signals are none. */
export function optionsAsValues(settings: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      const known = value instanceof AbortSignal ? undefined : asValue(value)
      return known === undefined ? [] : [[name, known]]
    }),
  )
}

/** Of an object of a class only that there is one. */
function asValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(asValue)
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? 'custom' : value
  return Object.getPrototypeOf(value) === Object.prototype ? optionsAsValues(value) : 'custom'
}
