import type { Identity } from '../../state/process-record.js'
import { cstringAt, u32At, u64At } from '../../state/text.js'
import { execLayout, forkLayout, idChangeLayout, snapshotLayout } from './layouts.js'
import { KNOWN_COMM, KNOWN_NAMESPACES, KNOWN_STAT, KNOWN_STATUS } from './snapshot.js'

const { at } = forkLayout
const COMM_BYTES = 15

function shiftOf(layout: { readonly at: { readonly startBootNs: number } }): number {
  return layout.at.startBootNs - at.startBootNs
}

/** Bytes by which the identity lies later than in a fork record: its fields are the same, from the start on. */
export const EXEC_SHIFT = shiftOf(execLayout)
export const ID_CHANGE_SHIFT = shiftOf(idChangeLayout)
export const SNAPSHOT_SHIFT = shiftOf(snapshotLayout)

/** Everything is known: a record of the kernel's. */
const ALL_KNOWN = -1

/** The identity in a record, read when it is asked for. */
export class RecordIdentity implements Identity {
  readonly #text: string
  readonly #shift: number
  readonly #known: number

  /**
   * @param text the record
   * @param shift bytes by which its identity lies later than in a fork record
   * @param known `KNOWN_` bits of a snapshot
   */
  constructor(text: string, shift: number, known: number = ALL_KNOWN) {
    this.#text = text
    this.#shift = shift
    this.#known = known
  }

  #u32(offset: number, known: number): number | undefined {
    return (this.#known & known) === 0 ? undefined : u32At(this.#text, this.#shift + offset)
  }

  #cap(offset: number): bigint | undefined {
    return (this.#known & KNOWN_STATUS) === 0 ? undefined : u64At(this.#text, this.#shift + offset)
  }

  /** 0 stands for a namespace that could not be read. */
  #namespace(offset: number): number | undefined {
    return this.#u32(offset, KNOWN_NAMESPACES) || undefined
  }

  get uid(): number | undefined {
    return this.#u32(at.uid, KNOWN_STATUS)
  }

  get euid(): number | undefined {
    return this.#u32(at.euid, KNOWN_STATUS)
  }

  get suid(): number | undefined {
    return this.#u32(at.suid, KNOWN_STATUS)
  }

  get gid(): number | undefined {
    return this.#u32(at.gid, KNOWN_STATUS)
  }

  get egid(): number | undefined {
    return this.#u32(at.egid, KNOWN_STATUS)
  }

  get sgid(): number | undefined {
    return this.#u32(at.sgid, KNOWN_STATUS)
  }

  get capInheritable(): bigint | undefined {
    return this.#cap(at.capInheritable)
  }

  get capPermitted(): bigint | undefined {
    return this.#cap(at.capPermitted)
  }

  get capEffective(): bigint | undefined {
    return this.#cap(at.capEffective)
  }

  get capBounding(): bigint | undefined {
    return this.#cap(at.capBounding)
  }

  get capAmbient(): bigint | undefined {
    return this.#cap(at.capAmbient)
  }

  get ttyMajor(): number | undefined {
    return this.#u32(at.ttyMajor, KNOWN_STAT)
  }

  get ttyMinor(): number | undefined {
    const first = this.#u32(at.ttyMinorStart, KNOWN_STAT)
    const index = this.#u32(at.ttyIndex, KNOWN_STAT)
    return first === undefined || index === undefined ? undefined : (first + index) >>> 0
  }

  get utsNs(): number | undefined {
    return this.#namespace(at.utsNs)
  }

  get ipcNs(): number | undefined {
    return this.#namespace(at.ipcNs)
  }

  get mntNs(): number | undefined {
    return this.#namespace(at.mntNs)
  }

  get netNs(): number | undefined {
    return this.#namespace(at.netNs)
  }

  get comm(): string | undefined {
    if ((this.#known & KNOWN_COMM) === 0) return undefined
    return cstringAt(this.#text, this.#shift + at.comm, COMM_BYTES)
  }
}
