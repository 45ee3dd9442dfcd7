/** The event of a connection: a class, as there may be very many of them. */

import type { Plain } from '../../event/forms.js'
import { processAt } from '../../process/at.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { Relatives } from '../../process/relatives.js'
import type { NameSource } from '../../names/names.js'
import type { Tables } from '../kind.js'
import {
  bytesAt,
  directionOf,
  familyAt,
  known,
  localIpAt,
  localPortAt,
  netNsAt,
  nsBetween,
  phaseOf,
  PID,
  remoteIpAt,
  remotePortAt,
  SINCE,
  socketIdAt,
  START,
  TIME_LO,
  timeAt,
} from './decode.js'
import type { ConnectionAction, ConnectionEvent, Direction } from './events.js'
import { closeLayout, PHASE_CONNECTED, PHASE_REFUSED, PHASE_WAITING } from './records.js'
import { remoteNameOf } from './remote-name.js'

const { at } = closeLayout
const CLOSER = at.closerPid >> 2
const CLOSER_START = at.closerStartBootNs >> 2
const ERRNO = at.errno >> 2
const SENT = at.sentBytes >> 2
const RECEIVED = at.receivedBytes >> 2
const HAS_BYTES = at.hasBytes >> 2

/** The lists of actions by their bits: shared by all events. */
const CONNECT = 1
const ACCEPT = 2
const CLOSE = 4
const NAMES: readonly ConnectionAction[] = ['connect', 'accept', 'close']
const LISTS: readonly (readonly ConnectionAction[])[] = Array.from({ length: 8 }, (_, bits) =>
  Object.freeze(NAMES.filter((_name, bit) => (bits & (1 << bit)) !== 0)),
)

export class Connection implements ConnectionEvent {
  declare readonly kind: 'connection'
  declare actions: readonly ConnectionAction[]
  declare readonly timeNs: bigint
  declare readonly transport: 'tcp'
  declare readonly family: 'ipv4' | 'ipv6'
  declare readonly localIp: string | undefined
  declare readonly localPort: number | undefined
  declare readonly netNs: number | undefined
  declare readonly socketId: bigint
  declare readonly remoteIp: string | undefined
  declare readonly remotePort: number | undefined
  declare remoteName: string | undefined
  declare remoteNameSource: NameSource | undefined
  declare readonly direction: Direction | undefined
  declare readonly handshakeNs: bigint | undefined
  declare readonly queuedNs: bigint | undefined
  declare durationNs: bigint | undefined
  declare sentBytes: number | undefined
  declare receivedBytes: number | undefined
  declare errno: number | undefined
  declare readonly unaccepted: boolean
  declare pid: number | undefined
  declare closerPid: number | undefined
  declare process: ProcessRecord | undefined
  /** Set at delivery. */
  declare relatives: Relatives | undefined
  declare toObject: () => Plain<ConnectionEvent>
  declare toJSON: () => Record<string, unknown>

  /** Of the record at `w`. */
  private constructor(
    words: Uint32Array,
    w: number,
    tables: Tables,
    bits: number,
    pid: number | undefined,
    direction: Direction | undefined,
    hasName: boolean,
  ) {
    this.kind = 'connection'
    this.actions = LISTS[bits] as readonly ConnectionAction[]
    this.timeNs = timeAt(words, w, tables)
    this.transport = 'tcp'
    this.family = familyAt(words, w)
    this.localPort = localPortAt(words, w)
    this.localIp = localIpAt(words, w, this.localPort)
    this.netNs = netNsAt(words, w)
    this.socketId = socketIdAt(words, w)
    this.remotePort = remotePortAt(words, w)
    this.remoteIp = remoteIpAt(words, w, this.remotePort)
    const { remoteName, remoteNameSource } = remoteNameOf(this, pid, hasName, tables)
    this.remoteName = remoteName
    this.remoteNameSource = remoteNameSource
    this.direction = direction
    const isOpened = bits !== CLOSE && bits !== (ACCEPT | CLOSE)
    const sinceNs = isOpened ? nsBetween(words, w + SINCE, w + TIME_LO) : undefined
    this.handshakeNs = bits === CONNECT ? sinceNs : undefined
    this.queuedNs = bits === ACCEPT ? sinceNs : undefined
    this.durationNs = undefined
    this.sentBytes = undefined
    this.receivedBytes = undefined
    this.errno = undefined
    this.unaccepted = (bits & CLOSE) !== 0 && phaseOf(words, w) === PHASE_REFUSED
    this.pid = pid
    this.closerPid = undefined
    this.process = undefined
    this.relatives = undefined
  }

  /** It was opened or accepted. */
  static opened(words: Uint32Array, w: number, isAccepted: boolean, tables: Tables): Connection {
    const pid = known(words[w + PID] as number)
    const bits = isAccepted ? ACCEPT : CONNECT
    const direction = isAccepted ? 'inbound' : 'outbound'
    const made = new Connection(words, w, tables, bits, pid, direction, !isAccepted)
    made.process = processAt(words, w, pid, w + START, tables)
    return made
  }

  /** It was closed, and its opening is another event, or was not seen. */
  static closed(words: Uint32Array, w: number, tables: Tables): Connection {
    const phase = phaseOf(words, w)
    const closerPid = known(words[w + CLOSER] as number)
    // Nobody was seen to have it before, so it was not accepted long ago.
    const isFirst = phase === PHASE_WAITING && closerPid !== undefined
    const pid = isFirst ? closerPid : known(words[w + PID] as number)
    const bits = isFirst ? ACCEPT | CLOSE : CLOSE
    const made = new Connection(words, w, tables, bits, pid, directionOf(phase), phase === PHASE_CONNECTED)
    made.#end(words, w)
    made.process =
      pid !== undefined && !isFirst
        ? processAt(words, w, pid, w + START, tables)
        : processAt(words, w, closerPid, w + CLOSER_START, tables)
    return made
  }

  /** It was closed soon. */
  close(words: Uint32Array, w: number, tables: Tables): void {
    const { pid } = this
    this.actions = LISTS[
      (this.direction === 'inbound' ? ACCEPT : CONNECT) | CLOSE
    ] as readonly ConnectionAction[]
    this.#end(words, w)
    if (this.process !== undefined || pid !== undefined) return
    // Of a process that was not known yet.
    const owner = known(words[w + PID] as number)
    this.process =
      owner === undefined
        ? processAt(words, w, this.closerPid, w + CLOSER_START, tables)
        : processAt(words, w, owner, w + START, tables)
  }

  #end(words: Uint32Array, w: number): void {
    this.closerPid = known(words[w + CLOSER] as number)
    this.durationNs = nsBetween(words, w + SINCE, w + TIME_LO)
    if (words[w + HAS_BYTES] !== 0) {
      this.sentBytes = bytesAt(words, w + SENT)
      this.receivedBytes = bytesAt(words, w + RECEIVED)
    }
    this.errno = known(words[w + ERRNO] as number)
  }
}
