/** Records of what was said of containers, for a source to make. */

import { Readiness } from 'quark-ebpf'
import type { SourceContext } from '../../facts/rungs.js'
import type { ClusterDetails, Details, PodDetails, UsersDetails } from './details.js'
import {
  clusterLayout,
  containerLayout,
  MAX_DETAILS_BYTES,
  podGoneLayout,
  podLayout,
  problemLayout,
  usersLayout,
} from './records.js'

type Layout = typeof containerLayout

/** So much may wait to be read; what comes then is dropped, and asked for again or repeated later. */
const MOST_WAITING = 2048
const LATER_MS = 2 ** 30

/** What answers leave to be read. Answers come at any time; the source makes records of them when it is read. */
export class Reports {
  /** Readable while something waits. */
  readonly readiness = new Readiness()
  readonly #context: SourceContext
  readonly #problems = new Set<string>()
  #waiting: [layout: Layout, text: string][] = []
  #isClosed = false

  constructor(context: SourceContext) {
    this.#context = context
    this.readiness.arm([], LATER_MS)
  }

  container(details: Details): void {
    this.#add(containerLayout, shortened(details))
  }

  pod(pod: PodDetails): void {
    this.#add(podLayout, shortened(pod))
  }

  podGone(uid: string): void {
    this.#add(podGoneLayout, uid)
  }

  cluster(cluster: ClusterDetails): void {
    this.#add(clusterLayout, JSON.stringify(cluster))
  }

  users(users: UsersDetails): void {
    this.#add(usersLayout, JSON.stringify(users))
  }

  /** Says that something cannot be asked: once, until it works again. */
  problem(what: string, error: unknown): void {
    if (this.#problems.has(what)) return
    this.#problems.add(what)
    this.#add(problemLayout, `Cannot ask ${what}: ${reasonOf(error)}`)
  }

  /** Notes that it works. */
  works(what: string): void {
    this.#problems.delete(what)
  }

  /** Makes records of all that waits. */
  read(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    const timeNs = BigInt(this.#context.clock.bootNowNs())
    for (const [layout, text] of waiting) this.#context.push(layout, { timeNs }, { text: Buffer.from(text) })
    this.readiness.arm([], LATER_MS)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.readiness.close()
  }

  #add(layout: Layout, text: string): void {
    if (this.#isClosed) return
    if (this.#waiting.length >= MOST_WAITING) {
      this.#context.noteLost(1, layout)
      return
    }
    this.#waiting.push([layout, text])
    if (this.#waiting.length === 1) this.readiness.arm([], 0)
  }
}

/** As JSON that has room in a record. */
function shortened(details: Details | PodDetails): string {
  const text = JSON.stringify(details)
  return Buffer.byteLength(text) < MAX_DETAILS_BYTES
    ? text
    : JSON.stringify({ ...details, labels: undefined })
}

const MAX_REASON = 300

function reasonOf(error: unknown): string {
  const { message, code, name } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError') return 'it does not answer in time'
  // Errors of several addresses have no message.
  return (message === '' || message === undefined ? (code ?? 'unknown error') : message).slice(0, MAX_REASON)
}
