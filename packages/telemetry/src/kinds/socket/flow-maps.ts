/** What the programs of UDP keep in the kernel: it is read in user space, and no datagram makes a record. */

import { map, u32, u64 } from 'quark-ebpf/probe'

/** A socket and another end. An IPv4 address is the first word of four, and ports are in network order. */
const flow = {
  cookie: u64,
  remote0: u32,
  remote1: u32,
  remote2: u32,
  remote3: u32,
  remotePort: u32,
  family: u32,
} as const

/** What is counted: any CPU may. */
function countsMap(maxEntries: number) {
  return map({
    name: 'quark_flows',
    type: 'lruHash',
    key: flow,
    value: {
      lastNs: u64,
      sentDatagrams: u64,
      sentBytes: u64,
      receivedDatagrams: u64,
      receivedBytes: u64,
    },
    maxEntries,
  })
}

/** What does not change, and who last sent. */
function aboutMap(maxEntries: number) {
  return map({
    name: 'quark_flow_info',
    type: 'lruHash',
    key: flow,
    value: {
      firstNs: u64,
      startBootNs: u64,
      pid: u32,
      /** `PHASE_CONNECTED` where this end sent first, else `PHASE_ACCEPTED`. */
      phase: u32,
      netNs: u32,
      localPort: u32,
      local0: u32,
      local1: u32,
      local2: u32,
      local3: u32,
    },
    maxEntries,
  })
}

/** Who last read from a socket. */
function readersMap(maxEntries: number) {
  return map({
    name: 'quark_readers',
    type: 'lruHash',
    key: u64,
    value: { startBootNs: u64, pid: u32, reserved: u32 },
    maxEntries,
  })
}

/** Sockets that were closed since the last look. */
function closedMap(maxEntries: number) {
  return map({
    name: 'quark_udp_close',
    type: 'lruHash',
    key: u64,
    value: { closedNs: u64, closerPid: u32, reserved: u32 },
    maxEntries,
  })
}

/** How many flows there were: what is not found any more was evicted. */
function begunMap() {
  return map({ name: 'quark_flows_all', type: 'percpuArray', key: u32, value: u64, maxEntries: 1 })
}

/** The maps of one queue. */
export interface FlowMaps {
  readonly counts: ReturnType<typeof countsMap>
  readonly about: ReturnType<typeof aboutMap>
  readonly readers: ReturnType<typeof readersMap>
  readonly closed: ReturnType<typeof closedMap>
  readonly begun: ReturnType<typeof begunMap>
}

export function flowMaps(maxFlows: number): FlowMaps {
  return {
    counts: countsMap(maxFlows),
    about: aboutMap(maxFlows),
    readers: readersMap(maxFlows),
    closed: closedMap(maxFlows),
    begun: begunMap(),
  }
}
