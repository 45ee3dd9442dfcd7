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

/** What one look at all flows found. */
interface Found {
  /** Flows that have ended, the first one last. */
  readonly ended: { readonly key: FlowKey; readonly why: number }[]
  readonly closed: ReadonlyMap<bigint, Closed>
  /** Flows that go on. */
  readonly left: bigint
  readonly begunBefore: bigint
}

export class FlowReader implements Source {
  readonly pollMs = POLL_MS
  readonly #maps: Maps
  readonly #context: SourceContext
  readonly #idleNs: bigint
  #isStopped = false
  #restUntilMs = 0
  /** What the last look found, until all of it is taken. */
  #found: Found | undefined
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
    if (beganMs < this.#restUntilMs && !this.#isStopped) return
    try {
      this.#sweep()
    } catch (error) {
      // Of rights that were given up: what is counted stays in the kernel.
      if (!(error instanceof KernelError)) throw error
    }
    this.#restUntilMs = monotonicMs() + (monotonicMs() - beganMs) / MOST_SHARE
  }

  stop(): void {
    this.#isStopped = true
    // All others end now.
    this.#found = undefined
  }

  /** The maps are the session's. */
  close(): void {}

  #sweep(): void {
    this.#found ??= this.#find()
    const { ended, closed, left, begunBefore } = this.#found
    const untilMs = monotonicMs() + MOST_MS
    const nowNs = BigInt(this.#context.clock.bootNowNs())
    for (let count = 0; count < MAX_RECORDS && monotonicMs() < untilMs; count += 1) {
      const flow = ended.pop()
      if (flow === undefined) break
      this.#take(flow.key, flow.why, closed.get(flow.key.cookie), nowNs)
    }
    if (ended.length > 0) return
    this.#found = undefined
    for (const cookie of closed.keys()) this.#forgetSocket(cookie)
    this.#noteEvicted(begunBefore - this.#taken - left)
  }

  /** Looks through all flows. */
  #find(): Found {
    const { counts, closed: closedSockets, begun } = this.#maps
    const begunBefore = begun.get(0) ?? 0n
    // Before the flows: one of a socket that is closed meanwhile is left for the next look.
    const closed = new Map(closedSockets.entries())
    const nowNs = BigInt(this.#context.clock.bootNowNs())
    const ended: { readonly key: FlowKey; readonly why: number }[] = []
    let left = 0n
    for (const [key, { lastNs }] of counts.entries()) {
      const why = this.#whyEnded(closed.has(key.cookie), nowNs - lastNs)
      if (why === undefined) left += 1n
      else ended.push({ key, why })
    }
    ended.reverse()
    return { ended, closed, left, begunBefore }
  }

  #whyEnded(isClosed: boolean, quietNs: bigint): number | undefined {
    if (isClosed) return FLOW_CLOSED
    if (quietNs >= this.#idleNs) return FLOW_IDLE
    return this.#isStopped ? FLOW_OPEN : undefined
  }

  #take(key: FlowKey, why: number, closed: Closed | undefined, nowNs: bigint): void {
    const { counts, about } = this.#maps
    const known = about.get(key)
    const last = counts.get(key)
    counts.delete(key)
    about.delete(key)
    this.#taken += 1n
    if (last !== undefined) this.#push(key, last, known, { why, closed, nowNs })
  }

  #push(
    key: FlowKey,
    { lastNs, ...counted }: Counts,
    known: ReturnType<Maps['about']['get']>,
    end: { readonly why: number; readonly closed: Closed | undefined; readonly nowNs: bigint },
  ): void {
    const { cookie, family, remotePort, ...remote } = key
    const { firstNs: sinceNs = 0n, pid = 0, startBootNs = 0n, ...about } = known ?? {}
    const opener = this.#maps.openers?.get(cookie)
    const user =
      pid === 0
        ? (this.#maps.readers?.get(cookie) ?? opener ?? { pid: 0, startBootNs: 0n })
        : { pid, startBootNs }
    this.#context.push(
      flowLayout,
      { timeNs: end.nowNs },
      {
        ...about,
        ...remote,
        ...counted,
        cookie,
        family,
        remotePort,
        sinceNs,
        lastNs: lastNs > end.nowNs ? end.nowNs : lastNs,
        pid: user.pid,
        startBootNs: user.startBootNs,
        openerPid: opener?.pid ?? 0,
        closerPid: end.closed?.closerPid ?? 0,
        ended: end.why,
      },
    )
  }

  #forgetSocket(cookie: bigint): void {
    const { closed, readers, openers } = this.#maps
    closed.delete(cookie)
    readers?.delete(cookie)
    openers?.delete(cookie)
  }

  #noteEvicted(evicted: bigint): void {
    if (evicted <= this.#evicted) return
    this.#context.noteLost(Number(evicted - this.#evicted))
    this.#evicted = evicted
  }
}
