import { clockNs, Readiness } from 'quark-ebpf'
import { closeAll } from './backend/close-all.js'
import { BypassFeed } from './pipeline/bypass-feed.js'
import type { Catalogue } from './kinds/catalogue.js'
import { type Host, isThisMachine } from './context/host.js'
import { localNames } from './context/users.js'
import { OptionError, QuarkError, RecordingError } from './errors.js'
import type { QuarkEvent } from './kinds/index.js'
import { catalogue, type QuarkOptions, type ReplayOptions } from './kinds/index.js'
import type { RecordType, Tables } from './kinds/kind.js'
import type { Filters } from './filters.js'
import { RuledFilter } from './ruled-filter.js'
import { RuleEngine } from './rules/engine.js'
import type { RuleSet } from './rules/rule-set.js'
import { openParts, type Parts, type Recording, replaysParts } from './open.js'
import type { Feed } from './pipeline/feed.js'
import { ReplayFeed } from './pipeline/replay-feed.js'
import type { BufferedRecord, Pipeline } from './pipeline/pipeline.js'
import { type Capabilities, type QuarkStats, sumOf } from './pipeline/stats.js'
import type { Process } from './process/process.js'
import type { Socket, SocketEnds } from './kinds/socket/socket.js'
import { SocketTable } from './kinds/socket/table.js'
import type { Tracking } from './process/tracked/tracking.js'
import type { Settings } from './options/declare.js'
import { formsOf } from './forms.js'
import { type EndEvent, optionsAsValues, type StartEvent } from './stream.js'
import { packageVersion } from './version.js'

/** Most events of a batch after the end was asked for. */
const MAX_LAST_EVENTS = 256

let newQuark: (parts: Parts, later?: readonly Parts[]) => Quark

/**
 * A queue of events about all processes of this machine. One consumer takes them, by iterating, by batches, or
 * by `poll` and `wait`. Taking is what drives the queue: whoever stops taking stops the reading too, and what
 * then finds no room in the kernel's ring is counted and reported.
 *
 * @example
 * ```ts
 * await using quark = await Quark.open()
 * for await (const event of quark) {
 *   if (event.kind === 'process') console.log(event.actions, event.process.pid, event.process.argv)
 * }
 * ```
 */
export class Quark implements AsyncIterable<QuarkEvent>, AsyncDisposable {
  readonly #catalogue: Catalogue
  #capabilities: Capabilities
  #host: Host
  readonly #formed: ReturnType<typeof formsOf>
  #feed: Feed
  #pipeline: Pipeline
  readonly #users = localNames
  readonly #version: string
  #settings: Settings
  #openedNs: bigint
  readonly #signal: AbortSignal | undefined
  #filters: Filters | undefined
  readonly #isLive: boolean
  /** Uids mean the same here and there. */
  #hasNames: boolean
  /** Recordings that follow. */
  readonly #later: Parts[]
  /** Counters of those that are at their end. */
  #before: QuarkStats | undefined
  #readiness: Readiness | undefined
  #isEnded = false
  #isClosed = false
  #isTaken = false
  /** The rest of a batch whose consumer left its loop. */
  #untaken: readonly QuarkEvent[] = []

  static {
    newQuark = (parts, later = []) => new Quark(parts, later)
  }

  private constructor(parts: Parts, later: readonly Parts[]) {
    const { catalogue, feed, pipeline, host, settings, openedNs, signal, filters } = parts
    this.#catalogue = catalogue
    this.#formed = formsOf(catalogue)
    this.#feed = feed
    this.#pipeline = pipeline
    this.#settings = settings
    this.#openedNs = openedNs
    this.#signal = signal
    this.#filters = filters
    this.#isLive = !(feed instanceof ReplayFeed)
    this.#host = host
    this.#hasNames = this.#isLive || isThisMachine(host)
    this.#later = [...later]
    // Reads the files now: later the process may have given up the rights to them.
    this.#users.userName(0)
    this.#users.groupName(0)
    this.#version = packageVersion()
    this.#capabilities = capabilitiesOf(parts)
  }

  /** Which facts are attached, through which hooks, and which are missing; of several recordings those of the current one. */
  get capabilities(): Capabilities {
    return this.#capabilities
  }

  /** The machine that events come from; of a replay the one that was recorded, as far as the recording says. */
  get host(): Host {
    return this.#host
  }

  /**
   * Opens a queue: loads and attaches the programs, then reads the existing processes from /proc, so that none
   * is missed in between. Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.
   *
   * @throws {OptionError} for an unusable or contradictory option
   * @throws {BackendError} when no backend works; it has the reason of each that was tried
   * @throws {QuarkError} ERR_QUARK_SYSTEM when the recording cannot be written
   */
  static async open(options: QuarkOptions = {}): Promise<Quark> {
    return openQuark(catalogue, options)
  }

  /**
   * Delivers the events of a recording again, exactly as they came. Needs no rights and no Linux. Several recordings of one
   * machine come one after the other, the one that began first before the others; each has a table of processes of its own.
   *
   * @param recording the path of a file, or its bytes as they come, such as `process.stdin`; or several of these
   * @throws {RecordingError} when a file is no recording, or of another machine than the others; while it is read, when it
   *   is broken or cut short
   */
  static async replay(
    recording: Recording | readonly Recording[],
    options: ReplayOptions = {},
  ): Promise<Quark> {
    return replayQuark(catalogue, recording, options)
  }

  /** Events one by one. Breaking out of the loop leaves the queue open, and the events that follow in it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<QuarkEvent, void, undefined> {
    for await (const batch of this.batches()) {
      let taken = 0
      try {
        for (const event of batch) {
          taken += 1
          yield event
        }
      } finally {
        if (taken < batch.length) this.#untaken = batch.slice(taken)
      }
    }
  }

  /**
   * Events as they become due, some hundreds at a time; no batch is empty. When the signal is aborted, the last batches
   * have everything that is still held. Timers and signals run between two batches, however many there are. Breaking out of the loop leaves the queue open.
   *
   * @throws {QuarkError} ERR_QUARK_CLOSED when the queue is closed, or is being iterated already
   */
  async *batches(): AsyncGenerator<readonly QuarkEvent[], void, undefined> {
    this.#check()
    if (this.#isTaken) {
      throw new QuarkError('ERR_QUARK_CLOSED', 'Cannot iterate a queue twice at the same time')
    }
    this.#isTaken = true
    try {
      while (!this.#isClosed && (!this.#isEnded || this.#untaken.length > 0)) {
        if (this.#signal?.aborted === true) {
          const rest = this.#finish(MAX_LAST_EVENTS)
          if (rest.length > 0) yield rest
          await new Promise((resolve) => setImmediate(resolve))
          continue
        }
        const events = this.poll()
        if (events.length > 0) yield events
        if (this.#isClosed || this.#isEnded) continue
        // Lets timers and signals run even if events never cease.
        if (events.length > 0 && this.#feed.isBacklogged)
          await new Promise((resolve) => setImmediate(resolve))
        else await this.wait()
      }
    } finally {
      this.#isTaken = false
    }
  }

  /**
   * Reads what there is and returns the events that are due; never waits. When very many are due, the next calls return
   * the others, and `wait` does not wait.
   *
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  poll(): readonly QuarkEvent[] {
    this.#check()
    return this.#take((events) => {
      if (!this.#isEnded) this.#pump(events)
      this.#filters?.tracking?.tidy(this.#pipeline.tables.processes)
      this.#arm()
    })
  }

  /**
   * A descriptor for an event loop that is not Node's, or for poll(2): it is readable when there may be something for
   * `poll`: records came, held events are due, or losses are to be looked for. `poll` makes it unreadable; nothing can
   * be read from it. It may be readable although `poll` then returns nothing. Each call returns the same one, and
   * `close` closes it. Call `poll` and not `wait` in such a loop.
   *
   * @example
   * ```ts
   * const fd = quark.pollFd()
   * // `waitFor` stands for the loop's own way to wait until a descriptor is readable.
   * while (!quark.isEnded) {
   *   waitFor(fd)
   *   for (const event of quark.poll()) console.log(event.kind)
   * }
   * ```
   *
   * @throws {EbpfError} when the kernel refuses
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  pollFd(): number {
    this.#check()
    if (this.#readiness === undefined) {
      const readiness = new Readiness()
      try {
        this.#arm(readiness, this.#untaken.length > 0)
      } catch (error) {
        readiness.close()
        throw error
      }
      this.#readiness = readiness
    }
    return this.#readiness.fd.number
  }

  #arm(readiness = this.#readiness, isReady = this.#isEnded): void {
    if (readiness === undefined) return
    // Also the end is to be noticed.
    if (isReady || this.#isEnded) readiness.arm([], 0)
    else readiness.arm(this.#feed.fds, this.#feed.arm())
  }

  /**
   * Reads what there is, ends the queue's reading, and returns the events of everything that was held.
   *
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  finish(): readonly QuarkEvent[] {
    return this.#finish()
  }

  #finish(limit?: number): readonly QuarkEvent[] {
    this.#check()
    return this.#take((events) => {
      if (!this.#isEnded) this.#isEnded = this.#feed.finish(events, limit)
      if (this.#isEnded) this.#countRules()
      this.#arm()
    })
  }

  /** True when a recording is at its end, or after `finish`. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /**
   * True when all was read that the kernel had when the end began: at the end of a recording, or after `finish`. After a
   * `close` before that, false: what was not read yet is counted nowhere.
   */
  get isRead(): boolean {
    return this.#feed.isRead
  }

  /**
   * Waits until there may be something for `poll`, `timeoutMs` are over, or the signal is aborted.
   *
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  async wait(timeoutMs?: number): Promise<void> {
    this.#check()
    if (this.#isEnded) return
    await this.#feed.wait(timeoutMs, this.#signal)
    if (!this.#isClosed) this.#arm(this.#readiness, this.#untaken.length > 0)
  }

  /** The process that has this pid, or had it within the grace time. */
  lookup(pid: number): Process | undefined {
    return this.#pipeline.tables.processes.lookup(pid)
  }

  /** All known processes by ascending pid, ended ones within their grace time included. */
  processes(): IterableIterator<Process> {
    return this.#pipeline.tables.processes.all()
  }

  /**
   * All known sockets, closed ones last, which are there for `socketGraceMs`. Needs `sockets`; those without a connection
   * are known by what was found at the start, and by their flows.
   */
  sockets(): IterableIterator<Socket> {
    return socketsIn(this.#pipeline.tables)?.all() ?? [][Symbol.iterator]()
  }

  /** The known socket with this number, which events have as `socketId`. */
  socket(socketId: bigint): Socket | undefined {
    return socketsIn(this.#pipeline.tables)?.get(socketId)
  }

  /** The known sockets that a process opened, accepted, or was the first to be found with. */
  socketsOf(pid: number): Socket[] {
    return socketsIn(this.#pipeline.tables)?.ofPid(pid) ?? []
  }

  /** The known socket with these ends. Of several an open one, and of closed ones the last. */
  lookupSocket(ends: SocketEnds): Socket | undefined {
    return socketsIn(this.#pipeline.tables)?.at(ends)
  }

  /** Parent, grandparent and so on, as far as they are known. */
  ancestors(pid: number): Process[] {
    return this.#pipeline.tables.processes.ancestors(pid)
  }

  /**
   * Leaves out a process and all of its descendants from now on, also in events that are held. With eBPF the kernel does;
   * their records take no room in its ring then. The queue must have been opened with `excludePids`, which may be empty.
   *
   * @returns false if there is no such process
   * @throws {OptionError} when it was opened without `excludePids`, or too many are left out already
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  exclude(pid: number): boolean {
    return this.#exclusions().exclude(pid, this.#pipeline.tables.processes, this.#isLive)
  }

  /**
   * Ends that a process and its descendants are left out, whether `exclude` or `excludePids` named it. What is within
   * another tree that is left out stays so.
   *
   * @returns false if it was not left out
   * @throws as `exclude`
   */
  include(pid: number): boolean {
    return this.#exclusions().include(pid, this.#pipeline.tables.processes, this.#isLive)
  }

  #exclusions(): Tracking {
    this.#check()
    const tracking = this.#filters?.tracking
    if (tracking?.mayExclude === true) return tracking
    const advice = 'open the queue with excludePids: []'
    throw new OptionError('excludePids', `Cannot leave out processes: ${advice}`, advice)
  }

  /**
   * Has other rules decide from now on, as if the queue had been opened with them; nothing is lost in between. Events of what
   * happened before are decided by the earlier rules, also those that are held. Tags that those gave are forgotten.
   *
   * @throws {OptionError} when it was opened without `rules`, or is a replay
   * @throws {EbpfError} when the kernel cannot be given other rules any more, as the process has given up its rights
   * @throws {QuarkError} ERR_QUARK_CLOSED
   */
  setRules(rules: RuleSet): void {
    this.#check()
    const { filter, tracking } = this.#filters ?? {}
    if (!(filter instanceof RuledFilter) || !this.#isLive) {
      const advice = 'open a live queue with rules'
      throw new OptionError('rules', `Cannot have other rules decide: ${advice}`, advice)
    }
    // Programs leave out what the earlier rules drop until here; from here on they write all.
    filter.endInKernel()
    tracking?.endLeavingOut()
    const engine = new RuleEngine(rules)
    if (tracking?.mayLeaveOut === true) engine.leaving = (process) => tracking.leaveOut(process)
    this.#pipeline.atTurn(Number(clockNs('boottime')), () => filter.replaceRules(engine))
  }

  /**
   * How many processes of `where.treeOf` run, those named there included, after the last batch of events, or the last `poll`:
   * 0 when the last one has ended. While events are taken one by one, those of the batch count already. 0 without
   * `where.treeOf`.
   */
  treeSize(): number {
    return this.#filters?.tracking?.treeSize(this.#pipeline.tables.processes, this.#isLive) ?? 0
  }

  /** Records that are held for ordering and aggregation, oldest first. */
  bufferedRecords(): BufferedRecord[] {
    return [...this.#pipeline.buffered()]
  }

  /** Name of a user in /etc/passwd; of a replay only if the recording is of this machine. */
  userName(uid: number): string | undefined {
    return this.#hasNames ? this.#users.userName(uid) : undefined
  }

  /** Name of a group in /etc/group; of a replay only if the recording is of this machine. */
  groupName(gid: number): string | undefined {
    return this.#hasNames ? this.#users.groupName(gid) : undefined
  }

  /** What the events of this queue are of, to be written before them: `jsonOf(quark.startEvent())`. */
  startEvent(): StartEvent {
    const { backend, kernel, attached, missing } = this.capabilities
    return this.#formed({
      kind: 'start',
      timeNs: this.#openedNs,
      continued: false,
      version: this.#version,
      backend,
      kernel,
      host: this.host,
      options: optionsAsValues(this.#settings),
      attached,
      missing,
      process: undefined,
    }) as StartEvent
  }

  /** How it went so far, to be written behind the last event: `jsonOf(quark.endEvent())`. */
  endEvent(): EndEvent {
    const { latestNs, tables } = this.#pipeline
    const timeNs = this.#isLive ? clockNs('realtime') : BigInt(latestNs) + tables.timeBase.bootEpochNs
    return this.#formed({ kind: 'end', timeNs, stats: this.stats(), process: undefined }) as EndEvent
  }

  /** Counters so far; they stay readable after `close`. */
  stats(): QuarkStats {
    this.#countRules()
    const { produced, lost, recursionMisses } = this.#feed.counters()
    const { counters, tables } = this.#pipeline
    const { processes } = tables
    const lostRingFull = byName(lost, this.#catalogue.recordTypes)
    const made = new Map(produced)
    let total = 0
    for (const [type, count] of lost) {
      made.set(type, (made.get(type) ?? 0) + count)
      total += count
    }
    const bypass = this.#feed instanceof BypassFeed ? this.#feed : undefined
    const rejected = counters.rejected + (bypass?.rejected ?? 0)
    const insertions = counters.insertions + (bypass?.delivered ?? 0)
    const removals = counters.removals + (bypass?.delivered ?? 0)
    const stats: QuarkStats = {
      backend: this.#feed.backend,
      insertions,
      removals,
      buffered: insertions - removals,
      matched: this.#filters?.filter.passed ?? 0,
      filtered: this.#filters?.filter.refused ?? 0,
      undecided: this.#filters?.filter.undecided ?? 0,
      untracked: this.#filters?.tracking?.untracked ?? 0,
      aggregations: counters.aggregations,
      nonAggregations: counters.nonAggregations,
      garbageCollections: processes.collected,
      processes: processes.size,
      produced: byName(made, this.#catalogue.recordTypes),
      lost: total + rejected + recursionMisses + counters.unseen,
      lostRingFull,
      lostRejected: rejected,
      lostRecursion: recursionMisses,
      lostUnseen: counters.unseen,
      lostByUid: Object.fromEntries(this.#pipeline.lostByUid),
      shortened: this.#feed.shortened ?? 0,
      evicted: processes.evicted,
      evictedForBytes: processes.evictedForBytes,
      cutProcesses: processes.cutProcesses,
      tableBytes: processes.sizeBytes,
      unenriched: this.#feed.unenriched ?? 0,
      truncatedArgv: processes.truncatedArgv,
      truncatedEnv: processes.truncatedEnv,
      truncatedPaths: processes.truncatedPaths,
      skipped: this.#feed.skipped ?? {},
      tables: tableStats(tables),
    }
    return this.#before === undefined ? stats : sumOf(this.#before, stats)
  }

  /** Detaches everything and frees all memory outside of JavaScript. Closing twice is fine. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#countRules()
    this.#isClosed = true
    this.#isEnded = true
    closeAll(
      () => this.#readiness?.close(),
      () => this.#feed.close(),
      ...this.#later.map(
        ({ feed }) =>
          () =>
            feed.close(),
      ),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What the kernel left out counts for the rules. */
  #countRules(): void {
    const { filter } = this.#filters ?? {}
    if (!this.#isClosed && filter instanceof RuledFilter) filter.kernel?.count()
  }

  #pump(events: QuarkEvent[]): void {
    try {
      if (this.#feed.pump(events)) return
    } catch (error) {
      if (error instanceof RecordingError && error.isCutShort) this.#goOn()
      throw error
    }
    this.#goOn()
  }

  /** At the end of a recording: the next one, or the end. */
  #goOn(): void {
    const next = this.#later[0]
    if (next === undefined) {
      this.#isEnded = true
      return
    }
    this.#before = this.stats()
    this.#feed.close()
    this.#later.shift()
    this.#feed = next.feed
    this.#pipeline = next.pipeline
    this.#filters = next.filters
    this.#host = next.host
    this.#hasNames = isThisMachine(next.host)
    this.#settings = next.settings
    this.#openedNs = next.openedNs
    this.#capabilities = capabilitiesOf(next)
  }

  /** Events that are left, and those that `fill` adds. If it throws, the next call returns them. */
  #take(fill: (events: QuarkEvent[]) => void): QuarkEvent[] {
    const events = [...this.#untaken]
    this.#untaken = events
    fill(events)
    this.#untaken = []
    // A loop without a closure: it is on the way of each event.
    for (let i = 0; i < events.length; i++) this.#formed(events[i] as QuarkEvent)
    return events
  }

  #check(): void {
    if (this.#isClosed) throw new QuarkError('ERR_QUARK_CLOSED', 'The queue is closed')
  }
}

function capabilitiesOf({ feed, failures, absent = [] }: Parts): Capabilities {
  const { backend, kernel, attached, missing } = feed
  const refused = failures.map(({ backend, error }) => ({
    fact: `backend ${backend}`,
    reason: error.message,
  }))
  return { backend, kernel, attached, missing: [...refused, ...missing, ...absent] }
}

function socketsIn({ all }: Tables): SocketTable | undefined {
  const table = all.get('socket')
  return table instanceof SocketTable ? table : undefined
}

/** Opens a queue of the kinds of a catalogue. */
export async function openQuark(catalogue: Catalogue, options: object): Promise<Quark> {
  return newQuark(await openParts(catalogue, options))
}

/** A queue of its parts. */
export function queueOf(parts: Parts): Quark {
  return newQuark(parts)
}

/** Delivers the events of recordings of the kinds of a catalogue. */
export async function replayQuark(
  catalogue: Catalogue,
  recording: Recording | readonly Recording[],
  options: object,
): Promise<Quark> {
  const recordings = Array.isArray(recording) ? (recording as readonly Recording[]) : [recording as Recording]
  const [first, ...later] = await replaysParts(catalogue, recordings, options)
  return newQuark(first, later)
}

/** Counters of the tables of other kinds than processes, which are members of the statistics. */
function tableStats({ all, processes }: Tables): QuarkStats['tables'] {
  const others = [...all].filter(([, table]) => table !== processes)
  return Object.fromEntries(others.map(([kind, table]) => [kind, table.stats()]))
}

function byName(
  counts: ReadonlyMap<number, number>,
  recordTypes: readonly RecordType[],
): Record<string, number> {
  const named: Record<string, number> = {}
  for (const { name, layout } of recordTypes) {
    const count = counts.get(layout.type) ?? 0
    if (count > 0) named[name] = count
  }
  const unknown = counts.get(0) ?? 0
  if (unknown > 0) named['unknown'] = unknown
  return named
}
