import type { EntryPoint, EntryType } from './process.js'

/** An entry leader, and what is known of how it came. Immutable, and shared by all that descend from it. */
export class Origin implements EntryPoint {
  readonly type: EntryType
  readonly pid: number
  readonly address: string | undefined
  readonly port: number | undefined
  /** Start of the leader, as the table has it: another process with its pid is another one. */
  readonly startLo: number
  readonly startHi: number

  constructor(type: EntryType, { pid, startLo, startHi }: Leader, from?: Peer) {
    this.type = type
    this.pid = pid
    this.startLo = startLo
    this.startHi = startHi
    this.address = from?.address
    this.port = from?.port
  }
}

/** What tells a process from others that get its pid. */
export interface Leader {
  readonly pid: number
  readonly startLo: number
  readonly startHi: number
}

/** Where a connection came from. */
export interface Peer {
  readonly address: string
  readonly port: number | undefined
}
