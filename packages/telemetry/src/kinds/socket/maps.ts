/** What the programs of sockets keep about each of them until it is closed. */

import { map, u32, u64 } from 'quark-ebpf/probe'
import type { SocketKeys } from './keys.js'

/** The sockets of which something was reported, or is going to be, by their keys. */
function socketsMap(maxEntries: number) {
  return map({
    name: 'quark_sockets',
    type: 'lruHash',
    key: u64,
    value: {
      pid: u32,
      phase: u32,
      startBootNs: u64,
      sinceNs: u64,
      /** Where a connection was tried to: the socket itself has it only if there is a way to it. */
      remote0: u32,
      remote1: u32,
      remote2: u32,
      remote3: u32,
      remotePort: u32,
      family: u32,
      netNs: u32,
      errno: u32,
    },
    maxEntries,
  })
}

/** Connections that the kernel has taken and no process was seen to have, and when they were taken. */
function waitingMap(maxEntries: number) {
  return map({ name: 'quark_waiting', type: 'lruHash', key: u64, value: u64, maxEntries })
}

/**
 * Connections that ended with an error while a process has their sockets: connect(2) may undo one and begin another, and
 * then the socket knows nothing of the first any more.
 */
function brokenMap(maxEntries: number) {
  return map({
    name: 'quark_broken',
    type: 'lruHash',
    key: u64,
    value: {
      sentBytes: u64,
      receivedBytes: u64,
      startBootNs: u64,
      sinceNs: u64,
      pid: u32,
      phase: u32,
      errno: u32,
      hasBytes: u32,
      netNs: u32,
      family: u32,
      localPort: u32,
      remotePort: u32,
      local0: u32,
      local1: u32,
      local2: u32,
      local3: u32,
      remote0: u32,
      remote1: u32,
      remote2: u32,
      remote3: u32,
    },
    maxEntries,
  })
}

/** Who opened the sockets that have no connection of TCP. */
function openersMap(maxEntries: number) {
  return map({
    name: 'quark_openers',
    type: 'lruHash',
    key: u64,
    value: { pid: u32, reserved: u32, startBootNs: u64, sinceNs: u64 },
    maxEntries,
  })
}

/** The maps of one queue. */
export interface SocketMaps {
  readonly sockets: ReturnType<typeof socketsMap>
  readonly waiting: ReturnType<typeof waitingMap>
  readonly openers: ReturnType<typeof openersMap>
  readonly broken: ReturnType<typeof brokenMap>
  readonly keys: SocketKeys
}

export function socketMaps(maxSockets: number, keys: SocketKeys): SocketMaps {
  return {
    sockets: socketsMap(maxSockets),
    waiting: waitingMap(maxSockets >> 2),
    openers: openersMap(maxSockets >> 2),
    broken: brokenMap(maxSockets >> 4),
    keys,
  }
}
