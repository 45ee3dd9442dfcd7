import type { Identity } from './identity.js'
import type { Image } from './image.js'

/** So many changes that joined one event are told apart; of more, the later ones count as one. */
const MAX_DEPTH = 8

/**
 * What a process was until a change that joined an older record: the change is applied with that, and so before
 * what other processes did in between. Immutable, but for the view that is made of it.
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
  /** The process as it was then, once somebody asked. */
  view: object | undefined = undefined

  /** What `process` is before a change at that time (CLOCK_BOOTTIME, signed halves). */
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

  /** Whether it may be packed: a fork whose exec had the same identity has but this one. */
  get isSimple(): boolean {
    return this.identity === undefined && this.earlier === undefined
  }

  get isFull(): boolean {
    return this.depth >= MAX_DEPTH
  }
}

/** What a past is made of. */
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
