/** A queue and an Io without a kernel, for tests of commands. */

import type {
  EndEvent,
  Process,
  ProcessEvent,
  Quark,
  QuarkEvent,
  QuarkStats,
  StartEvent,
} from 'quark-telemetry'
import type { Io } from '../io.js'

/** Counters of a run in which nothing happened, but for the given ones. */
export function statsOf(counted: Partial<QuarkStats> = {}): QuarkStats {
  return {
    backend: 'ebpf',
    insertions: 0,
    removals: 0,
    buffered: 0,
    matched: 0,
    filtered: 0,
    undecided: 0,
    untracked: 0,
    aggregations: 0,
    nonAggregations: 0,
    garbageCollections: 0,
    processes: 0,
    produced: {},
    lost: 0,
    lostRingFull: {},
    lostByUid: {},
    shortened: 0,
    lostRejected: 0,
    lostRecursion: 0,
    lostUnseen: 0,
    evicted: 0,
    unenriched: 0,
    truncatedArgv: 0,
    truncatedEnv: 0,
    truncatedPaths: 0,
    evictedForBytes: 0,
    cutProcesses: 0,
    tableBytes: 0,
    skipped: {},
    tables: {},
    ...counted,
  }
}

/** An exec of a process of which only this is known. */
export function execOf(known: Partial<Process> & Pick<Process, 'pid'>): ProcessEvent {
  const process = {
    exeDeleted: false,
    argvTruncated: false,
    envTruncated: false,
    coreDumped: false,
    ...known,
  }
  return {
    kind: 'process',
    actions: ['exec'],
    timeNs: 1n,
    process: process as Process,
    idChange: undefined,
  } as unknown as ProcessEvent
}

/** A queue that delivers these batches, and keeps how many were taken. */
export class FakeQuark {
  readonly host: Quark['host'] = {
    hostname: 'here',
    architecture: undefined,
    machineId: undefined,
    bootId: undefined,
    kernelRelease: undefined,
    osName: undefined,
    osVersion: undefined,
    osFull: undefined,
    osId: undefined,
    osReleaseType: undefined,
    capabilities: undefined,
    cloudProvider: undefined,
    cloudRegion: undefined,
    cloudZone: undefined,
    cloudInstanceId: undefined,
    ips: [],
    macs: [],
  }
  taken = 0
  isRead = true
  isClosed = false
  readonly #batches: readonly (readonly QuarkEvent[])[]

  constructor(batches: readonly (readonly QuarkEvent[])[]) {
    this.#batches = batches
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  async *batches(): AsyncGenerator<readonly QuarkEvent[]> {
    for (const batch of this.#batches) {
      this.taken += 1
      yield batch
    }
  }

  stats(): QuarkStats {
    return statsOf({ insertions: this.taken })
  }

  startEvent(): StartEvent {
    const { host } = this
    const capabilities = { backend: 'ebpf', kernel: '6.18.0', attached: [], missing: [] }
    return {
      kind: 'start',
      timeNs: 0n,
      continued: false,
      version: '1',
      ...capabilities,
      host,
      options: {},
      process: undefined,
    } as unknown as StartEvent
  }

  endEvent(): EndEvent {
    return { kind: 'end', timeNs: 2n, stats: this.stats(), process: undefined } as unknown as EndEvent
  }

  userName(uid: number): string | undefined {
    return uid === 0 ? 'root' : undefined
  }

  groupName(): undefined {
    return undefined
  }
}

/** An Io that keeps what is written. */
export class FakeIo implements Io {
  readonly colour = false
  readonly pieceChars = 65_536
  readonly ending = new AbortController()
  readonly hurrying = new AbortController()
  written = ''
  /** The head of further files. */
  further = ''
  notes = ''

  readonly write = (text: string): Promise<void> => {
    this.written += text
    return Promise.resolve()
  }

  readonly begin = (text: string, further: string): Promise<void> => {
    this.further = further
    return this.write(text)
  }

  readonly note = (text: string): void => {
    this.notes += text
  }

  /** How often something was missing or lost. */
  losses = 0

  readonly lose = (text: string, isSilent = false): void => {
    if (text === '') return
    this.losses += 1
    if (!isSilent) this.note(text)
  }

  get hurry(): AbortSignal {
    return this.hurrying.signal
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }
}
