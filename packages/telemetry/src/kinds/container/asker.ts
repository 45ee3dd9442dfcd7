/** Asks runtimes about containers: a few at a time, each once, and never in the way of events. */

import { monotonicMs } from '../../event/time-base.js'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerRuntime } from '../../process/container.js'
import type { Reports } from './reports.js'
import type { Runtime } from './runtimes/runtime.js'

/** So many questions at a time. */
const MOST_ASKED = 4
/** So many containers may wait to be asked about; the others are asked about with their next event. */
const MOST_WAITING = 1024
/** What is not known is not asked for again so soon. */
const AGAIN_MS = 30_000
/** So much of what was asked is remembered. */
const MOST_REMEMBERED = 16_384
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/** Asks some runtimes, and reports what they say. */
export class Asker {
  readonly #runtimes: readonly Runtime[]
  readonly #reports: Reports
  readonly #stop = new AbortController()
  /** When containers may be asked about again, ms of the process's clock. */
  readonly #asked = new Map<string, number>()
  #waiting: [id: string, runtime: string | undefined][] = []
  #running = 0

  constructor(runtimes: readonly Runtime[], reports: Reports) {
    this.#runtimes = runtimes
    this.#reports = reports
    for (const runtime of runtimes) void this.#follow(runtime)
  }

  /** Asks about a container, unless that was done a short time ago. */
  want(id: string, runtime: string | undefined): void {
    const now = monotonicMs()
    const next = this.#asked.get(id)
    if (next !== undefined && now < next) return
    this.#again(id, runtime)
  }

  close(): void {
    this.#stop.abort()
    for (const runtime of this.#runtimes) runtime.close()
  }

  #again(id: string, runtime: string | undefined): void {
    if (this.#stop.signal.aborted || this.#waiting.length >= MOST_WAITING) return
    if (this.#asked.size >= MOST_REMEMBERED) this.#asked.clear()
    this.#asked.set(id, monotonicMs() + AGAIN_MS)
    this.#waiting.push([id, runtime])
    if (this.#running < MOST_ASKED) void this.#work()
  }

  async #work(): Promise<void> {
    this.#running += 1
    // At least one turn of the loop later: whoever asks is on the way of an event.
    await sleep(0)
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#stop.signal.aborted) return
      const [id, kind] = next
      for (const runtime of this.#runtimes) {
        if (runtime.mayKnow(kind as ContainerRuntime | undefined) && (await this.#ask(runtime, id))) break
      }
    }
    this.#running -= 1
  }

  /** True if the runtime knows the container. */
  async #ask(runtime: Runtime, id: string): Promise<boolean> {
    try {
      const answer = await runtime.describe(id, this.#stop.signal)
      this.#reports.works(runtime.name)
      if (answer?.pod !== undefined) this.#reports.pod(answer.pod)
      if (answer?.container !== undefined) this.#reports.container(answer.container)
      return answer !== undefined
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#reports.problem(runtime.name, error)
      return false
    }
  }

  /** Asks about all containers that there are, and about those that are made. */
  async #follow(runtime: Runtime): Promise<void> {
    const { signal } = this.#stop
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      const beganMs = monotonicMs()
      // Both connections are begun at once: soon the process may have given up the right to make any.
      const [isListed, failure] = await Promise.all([this.#list(runtime), this.#watch(runtime)])
      if (isListed && runtime.watch === undefined) return
      // Whoever does not answer questions need not be said to report nothing, too.
      if (isListed && failure !== undefined) this.#reports.problem(eventsOf(runtime), failure)
      if (monotonicMs() - beganMs > LONGEST_PAUSE_MS) pauseMs = FIRST_PAUSE_MS
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    }
  }

  async #list(runtime: Runtime): Promise<boolean> {
    const { signal } = this.#stop
    try {
      for (const id of await runtime.list(signal)) this.want(id, undefined)
      this.#reports.works(runtime.name)
      return true
    } catch (error) {
      if (!signal.aborted) this.#reports.problem(runtime.name, error)
      return false
    }
  }

  /** Asks about containers that are made or change, until the runtime ends its reports; returns why, if it failed. */
  async #watch(runtime: Runtime): Promise<unknown> {
    const { signal } = this.#stop
    try {
      await runtime.watch?.((id) => {
        this.#reports.works(eventsOf(runtime))
        this.#again(id, undefined)
      }, signal)
      return undefined
    } catch (error) {
      return signal.aborted ? undefined : error
    }
  }
}

function eventsOf({ name }: Runtime): string {
  return `${name} for its events`
}
