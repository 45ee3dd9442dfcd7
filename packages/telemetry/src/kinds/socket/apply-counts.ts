/** Which records tell of a connection that the kernel counted. */

import type { RecordGroup } from '../../event/raw.js'
import type { Tables } from '../kind.js'
import {
  closeLayout,
  connectFailedLayout,
  PHASE_REFUSED,
  PHASE_WAITING,
  RECORD_ACCEPT,
  RECORD_CONNECT,
  RECORD_CONNECT_FAILED,
  tcpCountsLayout,
} from './records.js'
import type { SocketTable } from './table.js'

const NET_NS = closeLayout.at.netNs >> 2
const SINCE = closeLayout.at.sinceNs >> 2
const FAMILY_AND_LOCAL_PORT = closeLayout.at.family >> 2
const REMOTE_PORT_AND_PHASE = closeLayout.at.remotePort >> 2
const ERRNO = connectFailedLayout.at.errno >> 2

const { at } = tcpCountsLayout

function tableOf(tables: Tables): SocketTable {
  return tables.table<SocketTable>('socket')
}

function u64(words: Uint32Array, at: number): number {
  return (words[at + 1] as number) * 2 ** 32 + (words[at] as number)
}

/** Notes the connection that the record of a type at `w` tells of, if it is the first one to do so. */
export function noteTold(words: Uint32Array, w: number, type: number, tables: Tables): void {
  const { completeness } = tableOf(tables)
  const netNs = words[w + NET_NS] as number
  const sinceNs = u64(words, w + SINCE)
  if (type === RECORD_CONNECT) {
    completeness.note('active', netNs, sinceNs, false)
  } else if (type === RECORD_CONNECT_FAILED) {
    // Without a port no packet was sent, and the kernel counted nothing.
    const hasPort = (words[w + FAMILY_AND_LOCAL_PORT] as number) >>> 16 !== 0
    if (hasPort) completeness.note('active', netNs, sinceNs, words[w + ERRNO] !== 0)
  } else if (
    type === RECORD_ACCEPT ||
    isFirstOfPassive((words[w + REMOTE_PORT_AND_PHASE] as number) >>> 16)
  ) {
    completeness.note('passive', netNs, sinceNs, false)
  }
}

/** Whether the end of a connection is the first that is told of it. */
function isFirstOfPassive(phase: number): boolean {
  return phase === PHASE_WAITING || phase === PHASE_REFUSED
}

/** The kernel's counters were read. */
export function applyCounts(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const { words } = group
  const w = group.offsetBytes >> 2
  const number = (name: keyof typeof at): number => words[w + (at[name] >> 2)] as number
  const wide = (name: keyof typeof at): number => u64(words, w + (at[name] >> 2))
  tableOf(tables).completeness.compare({
    netNs: number('netNs'),
    readNs: wide('readNs'),
    activeOpens: wide('activeOpens'),
    passiveOpens: wide('passiveOpens'),
    attemptFails: wide('attemptFails'),
    listenDrops: wide('listenDrops'),
    opening: number('opening'),
    waiting: number('waiting'),
  })
}
