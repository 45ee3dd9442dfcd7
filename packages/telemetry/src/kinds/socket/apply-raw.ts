/** Events out of records of raw sockets and of Unix sockets. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import { known, nsBetween, PID, SINCE, socketAt, START, TIME_LO, u64 } from './decode.js'
import type { RawSocketEvent, UnixSocketEvent } from './events.js'
import {
  AF_PACKET,
  rawCloseLayout,
  rawLayout,
  RECORD_RAW_CLOSE,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  unixLayout,
} from './records.js'

const FAMILY = rawLayout.at.family >> 2
const PROTOCOL_AND_TYPE = rawLayout.at.protocol >> 2
const CLOSER = rawCloseLayout.at.closerPid >> 2
const CLOSER_START = rawCloseLayout.at.closerStartBootNs >> 2

const OPEN: RawSocketEvent['actions'] = Object.freeze(['open' as const])
const CLOSE: RawSocketEvent['actions'] = Object.freeze(['close' as const])
const BOTH: RawSocketEvent['actions'] = Object.freeze(['open' as const, 'close' as const])

const TYPES = {
  [SOCK_STREAM]: 'stream',
  [SOCK_DGRAM]: 'dgram',
  [SOCK_RAW]: 'raw',
  [SOCK_SEQPACKET]: 'seqpacket',
} as const

function typeOf<T extends string>(number: number, ...of: readonly T[]): T | undefined {
  const name = TYPES[number as keyof typeof TYPES] as string | undefined
  return of.find((one) => one === name)
}

function known64(value: bigint): bigint | undefined {
  return value === 0n ? undefined : value
}

/** A raw socket was opened, and perhaps closed soon after, or one was closed. */
export function applyRaw(group: RecordGroup, tables: Tables): Made<RawSocketEvent> | undefined {
  if (!group.next()) return undefined
  const first = rawAt(group, tables)
  if (!group.next()) return first
  const { closerPid, durationNs } = rawAt(group, tables)
  return { ...first, actions: BOTH, closerPid, durationNs }
}

/** The record that is shown. */
function rawAt({ words, offsetBytes, type }: RecordGroup, tables: Tables): Made<RawSocketEvent> {
  const w = offsetBytes >> 2
  const { timeNs, netNs, socketId, family } = socketAt(words, w, tables)
  const protocolAndType = words[w + PROTOCOL_AND_TYPE] as number
  const isPacket = ((words[w + FAMILY] as number) & 0xffff) === AF_PACKET
  const isClosed = type === RECORD_RAW_CLOSE
  const pid = known(words[w + PID] as number)
  const closerPid = isClosed ? known(words[w + CLOSER] as number) : undefined
  return {
    kind: 'rawSocket',
    actions: isClosed ? CLOSE : OPEN,
    timeNs,
    netNs,
    socketId: known64(socketId),
    family: isPacket ? 'packet' : family,
    socketType: typeOf(protocolAndType >>> 16, 'raw', 'dgram'),
    // Of a packet socket that is closed it is not known.
    protocol: isPacket && isClosed ? undefined : protocolAndType & 0xffff,
    durationNs: isClosed ? nsBetween(words, w + SINCE, w + TIME_LO) : undefined,
    pid,
    closerPid,
    process:
      pid === undefined
        ? isClosed
          ? processAt(words, w, closerPid, w + CLOSER_START, tables)
          : undefined
        : processAt(words, w, pid, w + START, tables),
  }
}

const { at } = unixLayout
const UNIX_PID = at.pid >> 2
const PEER = at.peerPid >> 2
const UNIX_COOKIE = at.cookie >> 2
const UNIX_START = at.startBootNs >> 2
const UNIX_NET_NS = at.netNs >> 2
const ACTION = at.action >> 2
const UNIX_TYPE = at.socketType >> 2
const IS_ABSTRACT = at.isAbstract >> 2
const NAME = at.name >> 2

const ACTIONS = ['connect', 'accept', 'listen'] as const

/** Somebody uses a Unix socket. */
export function applyUnix(group: RecordGroup, tables: Tables): Made<UnixSocketEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const action = ACTIONS[words[w + ACTION] as number]
  if (action === undefined) return undefined
  const pid = known(words[w + UNIX_PID] as number)
  const name = stringTail(textOf(group), unixLayout.fixedSizeBytes, words[w + NAME] as number)
  return {
    kind: 'unixSocket',
    action,
    timeNs: u64(words, w + TIME_LO) + tables.timeBase.bootEpochNs,
    socketType: typeOf(words[w + UNIX_TYPE] as number, 'stream', 'dgram', 'seqpacket'),
    path: name === '' ? undefined : name,
    abstract: words[w + IS_ABSTRACT] !== 0,
    peerPid: known(words[w + PEER] as number),
    netNs: known(words[w + UNIX_NET_NS] as number),
    socketId: known64(u64(words, w + UNIX_COOKIE)),
    pid,
    process: processAt(words, w, pid, w + UNIX_START, tables),
  }
}
