/** Opens the parts of a queue: a backend or a recording, and the pipeline behind it. */

import { release } from 'node:os'
import { EbpfError, possibleCpuCount } from 'quark-ebpf'
import { MAX_LEVELS } from 'quark-ebpf/probe'
import { AggregationTable } from './aggregate/table.js'
import type { Backend } from './backend/backend.js'
import type { BackendContext } from './backend/context.js'
import { closeAfterError } from './backend/close-all.js'
import { openBackend } from './backend/index.js'
import { aggregationOf, type Catalogue } from './kinds/catalogue.js'
import type { RecordType, Surroundings, Tables } from './kinds/kind.js'
import { worldOf } from './kinds/world.js'
import { type Host, hostOf, readBootId, readHost, unknownHost } from './context/host.js'
import type { Walk } from './facts/rungs.js'
import { EXACT_STARTS } from './kinds/process/facts.js'
import { BackendError, type BackendFailure, OptionError, QuarkError, RecordingError } from './errors.js'
import { TimeBase } from './event/time-base.js'
import { type Filters, filtersOf, isKnown, notInKernel } from './filters.js'
import { findCgroupHierarchy } from './process/procfs/cgroup-mounts.js'
import { openKernelTypes } from './btf/types.js'
import { withAllKinds } from './options/all-kinds.js'
import { checkOptions } from './options/check.js'
import { defaultOf } from './options/spec.js'
import { checkMet, checkReplayed, type FactsOf } from './options/wishes.js'
import type { Settings } from './options/declare.js'
import { monotonicMs } from './event/time-base.js'
import { BypassFeed } from './pipeline/bypass-feed.js'
import { Clock } from './pipeline/clock.js'
import type { Feed } from './pipeline/feed.js'
import { LiveFeed } from './pipeline/live-feed.js'
import { LongRecords } from './pipeline/long-records.js'
import { PatternFinder } from './redact/patterns.js'
import { RecordRedactor } from './redact/records.js'
import { Redactor } from './redact/redactor.js'
import { Pipeline, type PipelineOptions } from './pipeline/pipeline.js'
import { ReplayFeed } from './pipeline/replay-feed.js'
import type { MissingFact } from './pipeline/stats.js'
import { Inquiries } from './process/details.js'
import { procProblem } from './process/procfs/pids.js'
import { unreadFiles } from './process/procfs/read.js'
import { RULES_IN_KERNEL } from './process/ruled/ruling.js'
import { FILTERS_IN_KERNEL } from './process/tracked/tracking.js'
import { RuledFilter } from './ruled-filter.js'
import { openRecording, openRecordingStream } from './recording/file.js'
import type { RecordingHeader } from './recording/format.js'
import { recordingHeader, replayPlan } from './recording/header.js'
import { RecordedTypes } from './recording/types.js'
import { RecordingWriter } from './recording/writer.js'
import { collectGarbage } from './self/memory.js'

/** Missing if the path of the root of the cgroup namespace, from the root of the hierarchy, cannot be found. */
const CGROUP_ROOT: MissingFact = {
  fact: 'cgroup paths from the root',
  reason:
    'quark is in a cgroup namespace of its own and cannot see its place in the hierarchy: all paths begin at the ' +
    "namespace's root, and cgroups that no mount shows have none (run the container with --cgroupns=host)",
}

/** A recording: the path of its file, or its bytes as they come. */
export type Recording = string | AsyncIterable<Uint8Array>

/** The parts of a queue. */
export interface Parts {
  readonly catalogue: Catalogue
  readonly feed: Feed
  readonly pipeline: Pipeline
  /** The machine that events come from. */
  readonly host: Host
  readonly settings: Settings
  /** Epoch ns at which the queue was opened. */
  readonly openedNs: bigint
  readonly signal: AbortSignal | undefined
  readonly filters: Filters | undefined
  /** Backends that were tried before the one that works. */
  readonly failures: readonly BackendFailure[]
  /** What is missing with every backend. */
  readonly absent?: readonly MissingFact[]
  /** Of a recording: its file. */
  readonly path?: string
}

/**
 * Loads and attaches what the kinds want to learn, then reads what exists already.
 *
 * @throws as `Quark.open`
 */
export async function openParts(catalogue: Catalogue, options: object): Promise<Parts> {
  const given = checkOptions(catalogue.options, withAllKinds(catalogue.options, options))
  const { signal } = given
  signal?.throwIfAborted()
  const settings = Object.assign(
    {},
    given,
    ...catalogue.kinds.map((kind) => kind.resolve?.(given)),
  ) as typeof given
  if (settings.btf !== undefined) checkBtf(settings.btf, options)
  for (const kind of catalogue.kinds) kind.prepare?.(settings)
  const unreadBefore = unreadFiles()
  const clock = Clock.system()
  const hierarchy = findCgroupHierarchy()
  const filters = filtersOf(catalogue, settings, clock)
  const { tracking, ruling } = filters ?? {}
  tracking?.check()
  const isTracked = tracking !== undefined || ruling !== undefined
  const inquiries = new Inquiries()
  const facts = catalogue.kinds.flatMap((kind) => kind.facts({ settings, hierarchy, isTracked, inquiries }))
  const { backend, failures } = openFirst(settings.backends, {
    settings,
    clock,
    facts,
    ...sharesOf(catalogue),
    ...(tracking === undefined ? {} : { tracking }),
    ...(ruling === undefined ? {} : { ruling }),
  })
  let recorder: RecordingWriter | undefined
  try {
    const { name, missing } = backend
    const asked = factsAsked(catalogue, { settings, hierarchy, isTracked })
    checkMet(catalogue.options, options, { name, missing, failures }, asked)
    const host = readHost()
    const openedNs = clock.epochNs(clock.openBootNs)
    const { bootId } = host
    const redaction = redactionOf(settings)
    const records =
      redaction === undefined ? undefined : new RecordRedactor(redaction, recordTypesOf(catalogue))
    const timeBase = new TimeBase(clock.bootEpochNs, { id: bootId, hasExactStarts: hasExactStarts(backend) })
    // Without events there are no cgroups to look up.
    const context = {
      settings,
      timeBase,
      filter: filters?.filter,
      inquiries,
      redaction,
      hierarchy: settings.bypass ? undefined : hierarchy,
      // Where nothing is mounted, cgroup ids are those of v2.
      cgroupHierarchyId: hierarchy?.hierarchyId ?? 0,
    }
    const tables = worldOf(catalogue.kinds, context)
    const lanes = { cpus: possibleCpuCount(), levels: MAX_LEVELS }
    const pipeline = pipelineOf(catalogue, settings, tables, lanes)
    const kernel = release()
    if (settings.bypass) {
      const feed = new BypassFeed(backend, clock, kernel, settings.pollMs, catalogue.recordTypes, records)
      return { catalogue, feed, pipeline, host, settings, openedNs, signal, filters, failures }
    }
    if (settings.record !== undefined) {
      recorder = new RecordingWriter(
        settings.record,
        recordingHeader({ catalogue, settings, clock, bootId, kernel, host, backend }),
        settings.truncate,
        records,
      )
    }
    for (const [kind, { learnt }] of tables.all) {
      if (learnt !== undefined) recorder?.table(kind, learnt.save())
    }
    const takeIn = (): void => {
      recorder?.snapshot(clock.bootNowNs())
      pipeline.applyScan()
    }
    const absent: MissingFact[] = []
    const walk: Walk = (fact, sink) => {
      try {
        return backend.walk?.(fact, sink) ?? false
      } catch (error) {
        if (!(error instanceof EbpfError)) throw error
        absent.push({ fact, reason: error.message })
        return false
      }
    }
    const problem = procProblem()
    for (const kind of problem === undefined ? catalogue.kinds : []) {
      for (const bytes of kind.scan?.({ settings, hierarchy }, clock, walk) ?? []) {
        if (tracking !== undefined && !isKnown(bytes, catalogue, tracking)) continue
        recorder?.record(bytes, 0, bytes.length)
        pipeline.insert(new Uint32Array(bytes.buffer, bytes.byteOffset), bytes, 0, bytes.length)
        if (pipeline.room() === 0) takeIn()
      }
    }
    takeIn()
    pipeline.begin()
    const feed = new LiveFeed({
      backend,
      pipeline,
      clock,
      recorder,
      pollMs: settings.pollMs,
      batchMs: settings.batchMs,
      kernel,
      settle: settlingOf(filters),
      longRecords: new LongRecords(collectGarbage, monotonicMs),
    })
    if (problem !== undefined) absent.push({ fact: 'processes that exist already', reason: problem })
    const unread = unreadFiles() - unreadBefore
    if (unread > 0)
      absent.push({ fact: 'some facts of processes that exist already', reason: unreadReason(unread) })
    if (hierarchy?.isFromNamespace === true) absent.push(CGROUP_ROOT)
    if (tracking?.isAsked === true && !tracking.isInKernel) {
      absent.push({ fact: FILTERS_IN_KERNEL, reason: tracking.problem ?? notInKernel(backend.name) })
    }
    const unruled = whyUnruled(filters, backend.name)
    if (unruled !== undefined) absent.push({ fact: RULES_IN_KERNEL, reason: unruled })
    return { catalogue, feed, pipeline, host, settings, openedNs, signal, filters, failures, absent }
  } catch (error) {
    closeAfterError(
      () => backend[Symbol.dispose](),
      () => recorder?.abandon(),
    )
    throw asQuarkError(error)
  }
}

/**
 * A queue over a backend that is made by hand, on a machine on which nothing was before. Nothing is decided in a kernel.
 *
 * @throws {OptionError}
 */
export function fakeParts(catalogue: Catalogue, options: object, backend: Backend, clock: Clock): Parts {
  const settings = checkOptions(catalogue.options, withAllKinds(catalogue.options, options))
  const filters = filtersOf(catalogue, settings)
  const timeBase = new TimeBase(clock.bootEpochNs)
  const redaction = redactionOf(settings)
  const tables = worldOf(catalogue.kinds, {
    settings,
    timeBase,
    filter: filters?.filter,
    redaction,
    hierarchy: undefined,
  })
  const pipeline = pipelineOf(catalogue, settings, tables, { cpus: 1, levels: 1 })
  pipeline.begin()
  const { pollMs, batchMs, signal } = settings
  const feed = new LiveFeed({
    backend,
    pipeline,
    clock,
    recorder: undefined,
    pollMs,
    batchMs,
    kernel: backend.name,
  })
  const openedNs = clock.epochNs(clock.openBootNs)
  return {
    catalogue,
    feed,
    pipeline,
    host: unknownHost(undefined, backend.name),
    settings,
    openedNs,
    signal,
    filters,
    failures: [],
  }
}

/** What is to be done when records are applied, for programs to leave out what rules drop. */
function settlingOf({ filter, ruling }: Partial<Filters> = {}): ((appliedNs: number) => void) | undefined {
  const kernel = filter instanceof RuledFilter ? filter.kernel : undefined
  if (kernel === undefined || ruling?.decisions === undefined) return undefined
  return (appliedNs) => kernel.settle(appliedNs)
}

/** Why programs leave nothing out, although rules drop something. */
function whyUnruled(
  { ruling, unruled, tracking }: Partial<Filters> = {},
  backend: string,
): string | undefined {
  if (ruling === undefined || ruling.decisions !== undefined || tracking?.isInKernel === true) return unruled
  if (ruling.problem !== undefined) return ruling.problem
  return backend === 'ebpf'
    ? 'no events are watched of which programs may leave out the records'
    : `the backend ${backend} has no programs that could: the rules are asked in user space`
}

/**
 * Opens recordings of one machine, the one that began first before the others.
 *
 * @throws as `Quark.replay`
 */
export async function replaysParts(
  catalogue: Catalogue,
  recordings: readonly Recording[],
  options: object,
): Promise<[Parts, ...Parts[]]> {
  const all: Parts[] = []
  try {
    for (const recording of recordings) all.push(await replayParts(catalogue, recording, options))
    all.sort((a, b) => (a.openedNs < b.openedNs ? -1 : a.openedNs > b.openedNs ? 1 : 0))
    const [first, ...later] = all
    if (first === undefined)
      throw new QuarkError('ERR_QUARK_RECORDING', 'Cannot replay: no recording is named')
    for (const parts of later) checkSameMachine(first, parts)
    return [first, ...later]
  } catch (error) {
    closeAfterError(
      ...all.map(
        ({ feed }) =>
          () =>
            feed.close(),
      ),
    )
    throw error
  }
}

/** @throws {RecordingError} when two recordings are known to be of two machines */
function checkSameMachine(first: Parts, other: Parts): void {
  const [a, b] = [first.host, other.host]
  const areKnown = a.machineId !== undefined && b.machineId !== undefined
  const [one, two] = areKnown ? [a.machineId, b.machineId] : [a.hostname, b.hostname]
  if (one === undefined || two === undefined || one === two) return
  const path = other.path ?? ''
  throw new RecordingError(path, 0, `it is of another machine than "${first.path}": replay them one by one;`)
}

/**
 * Opens a recording.
 *
 * @throws as `Quark.replay`
 */
export async function replayParts(
  catalogue: Catalogue,
  recording: Recording,
  options: object,
): Promise<Parts> {
  checkReplayed(catalogue.options, options)
  const reader =
    typeof recording === 'string' ? openRecording(recording) : await openRecordingStream(recording)
  try {
    const { settings, missing } = replayPlan(catalogue, reader, options)
    const types = new RecordedTypes(catalogue, reader.header.types)
    const timeBase = new TimeBase(BigInt(reader.header.bootEpochNs), {
      id: reader.header.bootId,
      hasExactStarts: hasExactStarts(reader.header),
    })
    const filters = filtersOf(catalogue, settings, undefined, reader.header.isRedacted === true)
    const tables = worldOf(catalogue.kinds, {
      settings,
      timeBase,
      filter: filters?.filter,
      redaction: redactionOf(settings),
      hierarchy: undefined,
    })
    const { cpus, levels = 1 } = reader.header
    const pipeline = pipelineOf(catalogue, settings, tables, { cpus, levels })
    const feed = new ReplayFeed(reader, types, pipeline, missing)
    return {
      catalogue,
      feed,
      pipeline,
      host: recordedHost(reader.header),
      settings,
      openedNs: BigInt(reader.header.openBootNs) + BigInt(reader.header.bootEpochNs),
      signal: settings.signal,
      filters,
      failures: [],
      path: reader.path,
    }
  } catch (error) {
    reader[Symbol.dispose]()
    throw error
  }
}

/**
 * What takes the secrets out of events and records; undefined if they are to stay.
 *
 * @throws {OptionError} for a pattern that is none
 */
function redactionOf({ redact, redactPatterns }: Settings): Redactor | undefined {
  if (!redact) return undefined
  if (redactPatterns === undefined || redactPatterns.length === 0) return new Redactor()
  try {
    return new Redactor({ patterns: new PatternFinder(redactPatterns) })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new OptionError(
      'redactPatterns',
      `Cannot use option "redactPatterns": ${error.message}`,
      undefined,
      { cause: error },
    )
  }
}

function recordTypesOf({ kinds }: Catalogue): RecordType[] {
  return kinds.flatMap(({ records }) => records)
}

/** The machine of a recording. One that does not say it is of this machine if it is of the same boot. */
function recordedHost({ host, bootId, kernel }: RecordingHeader): Host {
  if (host === undefined && bootId !== undefined && bootId === readBootId()) return readHost()
  return hostOf(host) ?? unknownHost(bootId, kernel)
}

/** Whether the starts of older processes are known as well as those of others, as entity ids are made of both. */
function hasExactStarts({ attached }: { readonly attached: readonly { readonly fact: string }[] }): boolean {
  return attached.some(({ fact }) => fact === EXACT_STARTS)
}

/** Facts that the kind of an option would not learn without it. */
function factsAsked({ kinds, options }: Catalogue, surroundings: Surroundings): FactsOf {
  return (option) => {
    const kind = kinds.find((one) => Object.hasOwn(one.options, option))
    const spec = options[option]
    if (kind === undefined || spec === undefined) return []
    const settings = { ...surroundings.settings, [option]: defaultOf(spec) }
    const others = new Set(kind.facts({ ...surroundings, settings }).map(({ name }) => name))
    return kind.facts(surroundings).filter(({ name }) => !others.has(name))
  }
}

/** How much of a ring each kind, and each type of record, may fill that must leave room for others. */
function sharesOf(catalogue: Catalogue): Required<Pick<BackendContext, 'shares' | 'recordShares'>> {
  return {
    shares: new Map(
      catalogue.kinds.flatMap(({ number, ringShare }) =>
        ringShare === undefined ? [] : [[number, ringShare]],
      ),
    ),
    recordShares: new Map(
      recordTypesOf(catalogue).flatMap(({ layout, ringShare }) =>
        ringShare === undefined ? [] : [[layout.type, ringShare]],
      ),
    ),
  }
}

/**
 * Backends go on without a file that is no good, or do not need one: whoever named one wants it.
 *
 * @throws {OptionError} when it cannot be used
 */
function checkBtf(path: string, options: object): void {
  try {
    openKernelTypes(path)
  } catch (error) {
    const { message } = error as Error
    const by = 'btf' in options && options.btf !== undefined ? 'Option "btf"' : 'The file of QUARK_BTF_PATH'
    throw new OptionError('btf', `${by} cannot be used: ${message}`, message, { cause: error })
  }
}

/** Opens the first backend that works; the failures before it are listed in `missing`. */
function openFirst(names: Settings['backends'], context: Omit<BackendContext, 'sources'>): Opened {
  const failures: BackendFailure[] = []
  for (const name of names) {
    try {
      return { backend: openBackend(name, context), failures }
    } catch (error) {
      const known = asQuarkError(error)
      if (!(known instanceof QuarkError || known instanceof EbpfError)) throw error
      failures.push({ backend: name, error: known })
    }
  }
  throw new BackendError(failures)
}

function unreadReason(files: number): string {
  return (
    `${files} files of /proc could not be read for want of descriptors or memory ` +
    '(raise the limit of descriptors with ulimit -n)'
  )
}

/** An error of Node's `fs` as one of this package; any other error as it is. */
function asQuarkError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof QuarkError || error instanceof EbpfError) return error
  if (!('syscall' in error) || !('errno' in error)) return error
  return new QuarkError('ERR_QUARK_SYSTEM', `Cannot watch processes: ${error.message}`, { cause: error })
}

interface Opened {
  readonly backend: Backend
  readonly failures: readonly BackendFailure[]
}

function pipelineOf(
  catalogue: Catalogue,
  settings: Settings,
  tables: Tables,
  lanes: Pick<PipelineOptions, 'cpus' | 'levels'>,
): Pipeline {
  const { maxLength, maxBufferBytes, holdMs, releaseEarly } = settings
  return new Pipeline(
    {
      kinds: catalogue.kinds,
      aggregation: tableOf(catalogue, settings),
      maxLength,
      maxBufferBytes,
      holdMs,
      releaseEarly,
      ...lanes,
    },
    tables,
  )
}

function tableOf(catalogue: Catalogue, { aggregation }: Settings): AggregationTable {
  return aggregation instanceof AggregationTable ? aggregation : aggregationOf(catalogue, aggregation)
}
