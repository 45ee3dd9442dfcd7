/** What records of sockets have in common, decoded. */

import { u64Of } from '../../event/time-base.js'
import type { Tables } from '../kind.js'
import { ipv4Text, ipv6Text, swap16 } from '../../names/address.js'
import type { Direction } from './events.js'
import {
  AF_INET,
  closeLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_REFUSED,
  PHASE_TRIED,
  PHASE_WAITING,
} from './records.js'

/** Word of the header at which the time of a record begins. */
export const TIME_LO = 2

/** All records begin with the same fields. */
const { at } = closeLayout
export const PID = at.pid >> 2
export const START = at.startBootNs >> 2
export const SINCE = at.sinceNs >> 2
const NET_NS = at.netNs >> 2
const COOKIE = at.cookie >> 2
const FAMILY_AND_LOCAL_PORT = at.family >> 2
const REMOTE_PORT_AND_PHASE = at.remotePort >> 2
const LOCAL = at.local0 >> 2
const REMOTE = at.remote0 >> 2

/** The high half of the first number that is not exact. */
const INEXACT_HIGH = 0x20_0000

/** 0 stands for what is not known. */
export function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

export function u64(words: Uint32Array, at: number): bigint {
  return u64Of(words[at] as number, words[at + 1] as number)
}

function isZero(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0
}

/** ns from the time at one place to that at another; undefined when the first is not known, or is later. */
export function nsBetween(words: Uint32Array, from: number, to: number): bigint | undefined {
  if (isZero(words, from)) return undefined
  const ns =
    ((words[to + 1] as number) - (words[from + 1] as number)) * 2 ** 32 +
    ((words[to] as number) - (words[from] as number))
  return ns < 0 ? undefined : BigInt(ns)
}

export function bytesAt(words: Uint32Array, at: number): number | undefined {
  const high = words[at + 1] as number
  return high < INEXACT_HIGH ? high * 2 ** 32 + (words[at] as number) : undefined
}

/** An address; undefined when the socket had none. */
function ipAt(words: Uint32Array, w: number, at: number, port: number | undefined): string | undefined {
  const isV4 = isIpv4(words, w)
  // Any address is one at which somebody listens; without a port there is none.
  if (isV4) return words[at] === 0 && port === undefined ? undefined : ipv4Text(words[at] as number)
  return isZero(words, at) && isZero(words, at + 2) && port === undefined ? undefined : ipv6Text(words, at)
}

function isIpv4(words: Uint32Array, w: number): boolean {
  return ((words[w + FAMILY_AND_LOCAL_PORT] as number) & 0xffff) === AF_INET
}

export function phaseOf(words: Uint32Array, w: number): number {
  return (words[w + REMOTE_PORT_AND_PHASE] as number) >>> 16
}

export function timeAt(words: Uint32Array, w: number, { timeBase }: Tables): bigint {
  return u64(words, w + TIME_LO) + timeBase.bootEpochNs
}

export function familyAt(words: Uint32Array, w: number): 'ipv4' | 'ipv6' {
  return isIpv4(words, w) ? 'ipv4' : 'ipv6'
}

export function localPortAt(words: Uint32Array, w: number): number | undefined {
  return known(swap16((words[w + FAMILY_AND_LOCAL_PORT] as number) >>> 16))
}

export function localIpAt(words: Uint32Array, w: number, localPort: number | undefined): string | undefined {
  return ipAt(words, w, w + LOCAL, localPort)
}

export function remotePortAt(words: Uint32Array, w: number): number | undefined {
  return known(swap16((words[w + REMOTE_PORT_AND_PHASE] as number) & 0xffff))
}

export function remoteIpAt(
  words: Uint32Array,
  w: number,
  remotePort: number | undefined,
): string | undefined {
  return ipAt(words, w, w + REMOTE, remotePort)
}

export function netNsAt(words: Uint32Array, w: number): number | undefined {
  return known(words[w + NET_NS] as number)
}

export function socketIdAt(words: Uint32Array, w: number): bigint {
  return u64(words, w + COOKIE)
}

/** What all events have, of the record at `w`. */
export function socketAt(words: Uint32Array, w: number, tables: Tables) {
  const localPort = localPortAt(words, w)
  return {
    timeNs: timeAt(words, w, tables),
    transport: 'tcp' as const,
    family: familyAt(words, w),
    localIp: localIpAt(words, w, localPort),
    localPort,
    netNs: netNsAt(words, w),
    socketId: socketIdAt(words, w),
  }
}

export function remoteAt(words: Uint32Array, w: number) {
  const remotePort = remotePortAt(words, w)
  return { remoteIp: remoteIpAt(words, w, remotePort), remotePort }
}

/** Where both ends are. */
export function endsAt(words: Uint32Array, w: number, tables: Tables) {
  return { ...socketAt(words, w, tables), ...remoteAt(words, w) }
}

/** Who began, by how a socket was opened. */
export function directionOf(phase: number): Direction | undefined {
  // One whose handshake was missed was tried, and then was there.
  if (phase === PHASE_CONNECTED || phase === PHASE_TRIED) return 'outbound'
  if (phase === PHASE_ACCEPTED || phase === PHASE_WAITING || phase === PHASE_REFUSED) return 'inbound'
  return undefined
}
