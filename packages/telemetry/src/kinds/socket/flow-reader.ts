/** Makes records of flows that have ended, out of the maps in which programs count them. */

import { monotonicMs } from '../../event/time-base.js'
import { KernelError } from 'quark-ebpf'
import { QuarkError } from '../../errors.js'
import type { MapReader, ReadMap, Source, SourceContext } from '../../facts/rungs.js'
import type { FlowMaps } from './flow-maps.js'
import type { SocketMaps } from './maps.js'
import { FLOW_CLOSED, FLOW_IDLE, FLOW_OPEN, flowLayout } from './records.js'

/** How often the maps are looked through, if that takes no more than a fiftieth of the time. */
const POLL_MS = 1000
const MOST_SHARE = 1 / 50
/** Most records at a time: what is left is found at the next look. */
const MAX_RECORDS = 1024
/** A read takes no longer, but for looking through all flows: signals wait for it. */
const MOST_MS = 20
const NS_PER_MS = 1_000_000n

/** Those without which nothing is counted, and those that some rungs have no programs for. */
interface Maps {
  readonly counts: ReadMap<FlowMaps['counts']>
  readonly about: ReadMap<FlowMaps['about']>
  readonly begun: ReadMap<FlowMaps['begun']>
  readonly closed: ReadMap<FlowMaps['closed']>
  readonly readers: ReadMap<FlowMaps['readers']> | undefined
  readonly openers: ReadMap<SocketMaps['openers']> | undefined
}

type FlowKey = Parameters<Maps['counts']['get']>[0]
type Counts = NonNullable<ReturnType<Maps['counts']['get']>>
type Opener = NonNullable<ReturnType<NonNullable<Maps['openers']>['get']>>
type Closed = NonNullable<ReturnType<Maps['closed']['get']>>

export interface FlowReaderOptions {
  /** A flow without a datagram for so long has ended. */
  readonly flowIdleMs: number
}

/** Reads the maps of flows. */
export function flowReader(
  maps: FlowMaps,
  sockets: Pick<SocketMaps, 'openers'>,
  options: FlowReaderOptions,
): MapReader {
  return {
    fills: [flowLayout],
    open: (context, session) => {
      const [counts, about] = [session.map(maps.counts), session.map(maps.about)]
      const [begun, closed] = [session.map(maps.begun), session.map(maps.closed)]
      if (counts === undefined || about === undefined || begun === undefined || closed === undefined)
        throw new QuarkError('ERR_QUARK_SYSTEM', 'Cannot read flows of UDP: no program counts them')
      const readers = session.map(maps.readers)
      const openers = session.map(sockets.openers)
      return new FlowReader({ counts, about, begun, closed, readers, openers }, context, options)
    },
  }
}

/** What is known of a flow beside what is counted. */
type About = NonNullable<ReturnType<Maps['about']['get']>>

/** A flow that has ended. */
interface Ended {
  readonly key: FlowKey
  readonly counts: Counts
  readonly why: number
}

export class FlowReader implements Source {
  readonly pollMs = POLL_MS
  readonly #maps: Maps
  readonly #context: SourceContext
  readonly #idleNs: bigint
  #isStopped = false
  /** All flows were taken at the end. They stay in the maps, which go with the session. */
  #isFinished = false
  #restUntilMs = 0
  /** The look at all flows that is under way; it goes on with the next read. Each step but the last is a flow. */
  #look: Iterator<void> | undefined
  /** Time that it took so far. */
  #lookMs = 0
  #pushed = 0
  #lastCookie: bigint | undefined
  #lastOpener: Opener | undefined
  /** Flows that were taken out of the map, and those that were found missing. */
  #taken = 0n
  #evicted = 0n

  constructor(maps: Maps, context: SourceContext, { flowIdleMs }: FlowReaderOptions) {
    this.#maps = maps
    this.#context = context
    this.#idleNs = BigInt(flowIdleMs) * NS_PER_MS
  }

  read(): void {
    const beganMs = monotonicMs()
    if (this.#isFinished || (beganMs < this.#restUntilMs && !this.#isStopped)) return
    try {
      this.#goOn(beganMs + MOST_MS)
    } catch (error) {
      // Of rights that were given up: what is counted stays in the kernel.
      if (!(error instanceof KernelError)) throw error
      this.#end()
    }
    this.#lookMs += monotonicMs() - beganMs
    if (this.#look !== undefined) return
    this.#restUntilMs = monotonicMs() + this.#lookMs / MOST_SHARE
    this.#lookMs = 0
  }

  get hasMore(): boolean {
    return !this.#isFinished
  }

  stop(): void {
    this.#isStopped = true
    // All others end now.
    this.#look = undefined
  }

  /** The maps are the session's. */
  close(): void {}

  #goOn(untilMs: number): void {
    this.#look ??= this.#isStopped ? this.#lookLast() : this.#lookThrough()
    this.#lastCookie = undefined
    this.#pushed = 0
    do {
      if (this.#look.next().done !== true) continue
      this.#end()
      return
    } while (this.#pushed < MAX_RECORDS && monotonicMs() < untilMs)
  }

  #end(): void {
    this.#look = undefined
    this.#isFinished = this.#isStopped
  }

  /** Looks through all flows, and takes those that have ended out of the maps. */
  *#lookThrough(): Generator<void> {
    const { counts, about, closed: closedSockets, begun } = this.#maps
    const begunBefore = begun.get(0) ?? 0n
    // Before the flows: one of a socket that is closed meanwhile is left for the next look.
    const closed = new Map(closedSockets.entries())
    const nowNs = BigInt(this.#context.clock.bootNowNs())
    const ended: Ended[] = []
    let left = 0n
    for (const [key, counted] of counts.entries()) {
      const why = this.#whyEnded(closed.has(key.cookie), nowNs - counted.lastNs)
      if (why === undefined) left += 1n
      else ended.push({ key, counts: counted, why })
      yield
    }
    for (const { key, why } of ended) {
      // What was counted last.
      const last = counts.get(key)
      const known = about.get(key)
      counts.delete(key)
      about.delete(key)
      this.#taken += 1n
      if (last !== undefined) this.#push(key, last, known, { why, closed: closed.get(key.cookie) })
      yield
    }
    for (const cookie of closed.keys()) this.#forgetSocket(cookie)
    this.#noteEvicted(begunBefore - this.#taken - left)
  }

  /** The same at the end, when nothing changes any more. */
  *#lookLast(): Generator<void> {
    const { counts, closed: closedSockets, begun } = this.#maps
    const closed = new Map(closedSockets.entries())
    const nowNs = BigInt(this.#context.clock.bootNowNs())
    const about = new Map<string, About>()
    for (const [key, known] of this.#maps.about.entries()) {
      about.set(textOf(key), known)
      yield
    }
    for (const [key, counted] of counts.entries()) {
      this.#taken += 1n
      const why = this.#whyEnded(closed.has(key.cookie), nowNs - counted.lastNs) ?? FLOW_OPEN
      this.#push(key, counted, about.get(textOf(key)), { why, closed: closed.get(key.cookie) })
      yield
    }
    this.#noteEvicted((begun.get(0) ?? 0n) - this.#taken)
  }

  #whyEnded(isClosed: boolean, quietNs: bigint): number | undefined {
    if (isClosed) return FLOW_CLOSED
    if (quietNs >= this.#idleNs) return FLOW_IDLE
    return undefined
  }

  #push(
    key: FlowKey,
    { lastNs, ...counted }: Counts,
    known: About | undefined,
    end: { readonly why: number; readonly closed: Closed | undefined },
  ): void {
    this.#pushed += 1
    const nowNs = BigInt(this.#context.clock.bootNowNs())
    const { cookie, family, remotePort, ...remote } = key
    const { firstNs: sinceNs = 0n, pid = 0, startBootNs = 0n, ...about } = known ?? {}
    const opener = this.#openerOf(cookie)
    const user =
      pid === 0
        ? (this.#maps.readers?.get(cookie) ?? opener ?? { pid: 0, startBootNs: 0n })
        : { pid, startBootNs }
    this.#context.push(
      flowLayout,
      { timeNs: nowNs },
      {
        ...about,
        ...remote,
        ...counted,
        cookie,
        family,
        remotePort,
        sinceNs,
        lastNs: lastNs > nowNs ? nowNs : lastNs,
        pid: user.pid,
        startBootNs: user.startBootNs,
        openerPid: opener?.pid ?? 0,
        closerPid: end.closed?.closerPid ?? 0,
        ended: end.why,
      },
    )
  }

  /** Many flows may be of one socket, one behind the other. */
  #openerOf(cookie: bigint): Opener | undefined {
    if (cookie !== this.#lastCookie) {
      this.#lastCookie = cookie
      this.#lastOpener = this.#maps.openers?.get(cookie)
    }
    return this.#lastOpener
  }

  #forgetSocket(cookie: bigint): void {
    const { closed, readers, openers } = this.#maps
    closed.delete(cookie)
    readers?.delete(cookie)
    openers?.delete(cookie)
  }

  #noteEvicted(evicted: bigint): void {
    if (evicted <= this.#evicted) return
    this.#context.noteLost(Number(evicted - this.#evicted), flowLayout)
    this.#evicted = evicted
  }
}

function textOf({ cookie, remote0, remote1, remote2, remote3, remotePort }: FlowKey): string {
  return `${cookie} ${remote0} ${remote1} ${remote2} ${remote3} ${remotePort}`
}
