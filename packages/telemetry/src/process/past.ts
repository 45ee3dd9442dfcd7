import type { Identity } from './identity.js'
import type { Image } from './image.js'

/** Most changes of one event that are kept; later ones count as one. */
const MAX_DEPTH = 8

/**
 * The state of a process before a change that joined an older record: the change is applied with that, and so before
 * what other processes did in between. Immutable, except for `view`.
 */
export class Past {
  readonly untilLo: number
  readonly untilHi: number
  /** Undefined when it is the same as afterwards. */
  readonly identity: Identity | undefined
  readonly comm: string | null | undefined
  readonly image: Image | undefined
  readonly cwdText: string
  readonly cwdStart: number
  readonly cwdTail: number
  readonly cgroup: string | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
  readonly earlier: Past | undefined
  readonly depth: number
  /** The process in this state, made when it is first needed. */
  view: object | undefined = undefined

  /** Keeps the state of `process` before a change at that time (CLOCK_BOOTTIME, signed halves). */
  constructor(process: PastFacts, untilLo: number, untilHi: number, earlier: Past | undefined) {
    this.untilLo = untilLo
    this.untilHi = untilHi
    this.identity = process.identity
    this.comm = process.newComm
    this.image = process.image
    this.cwdText = process.cwdText
    this.cwdStart = process.cwdStart
    this.cwdTail = process.cwdTail
    this.cgroup = process.cgroup
    this.pgid = process.pgid
    this.sid = process.sid
    this.earlier = earlier
    this.depth = earlier === undefined ? 1 : earlier.depth + 1
  }

  /** The same with other facts, of which `earlier` are those before it. */
  with(facts: PastFacts, earlier: Past | undefined): Past {
    return new Past(facts, this.untilLo, this.untilHi, earlier)
  }

  /** Whether it may be packed. After a fork whose exec had the same identity there is only one past, which may. */
  get isSimple(): boolean {
    return this.identity === undefined && this.earlier === undefined
  }

  get isFull(): boolean {
    return this.depth >= MAX_DEPTH
  }
}

/** The facts that a past keeps. */
export interface PastFacts {
  readonly identity: Identity | undefined
  readonly newComm: string | null | undefined
  readonly image: Image | undefined
  readonly cwdText: string
  readonly cwdStart: number
  readonly cwdTail: number
  readonly cgroup: string | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
}
