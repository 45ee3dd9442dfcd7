/** Records of packets of one conversation, for tests. */

import { encodeRecord } from 'quark-ebpf/probe'
import type { KnownName } from '../../../names/names.js'
import { type WirePacket, wirePacket, words } from '../../../names/testing/packets.js'
import type { Pipeline } from '../../../pipeline/pipeline.js'
import { eventsOf, record } from '../../../testing/process-records.js'
import type { DnsEvent } from '../events.js'
import { packetLayout, PLACE_RECEIVED, PLACE_SENT } from '../records.js'
import { type DnsTable } from '../table.js'
import { ANSWER_FLAGS, wireMessage, wireName, wireRecord } from './messages.js'

export const START = 1_000_000_000n
/** Flags of the last segment of TCP. */
export const FIN = 0x19
export const CLIENT = [[192, 0, 2, 7], 50_250] as const
export const SERVER = [[192, 0, 2, 53], 53] as const
export const TO_SERVER = { from: CLIENT, to: SERVER } as const
export const TO_CLIENT = { from: SERVER, to: CLIENT } as const
export const QUERY = wireMessage()
export const ANSWER = wireMessage({
  flags: ANSWER_FLAGS,
  answers: [
    wireRecord(5, wireName('cdn', 'example', 'net')),
    wireRecord(1, Buffer.from([198, 51, 100, 9]), 60, wireName('cdn', 'example', 'net')),
  ],
})
export const sent = { place: PLACE_SENT, pid: 7, startBootNs: START, cookie: 77n, netNs: 5 } as const
export const got = { ...sent, place: PLACE_RECEIVED } as const

/** A record of a packet at a time in ns. The key is that of programs: for one conversation it is the same. */
export function packet(timeNs: number, wire: WirePacket, values: object, maxBytes = 4096): Uint8Array {
  const bytes = wirePacket(wire)
  const fields = { exchange: 1, client: 1, lengthBytes: bytes.length, packet: bytes, ...values }
  return encodeRecord(packetLayout, { cpu: 0, seq: 0, timeNs: BigInt(timeNs) }, fields, { packet: maxBytes })
}

export function client(pid: number): Uint8Array {
  return record('exec', pid, { pid, tid: pid, startBootNs: START, comm: `client${pid}` })
}

export function dnsOf(pipeline: Pipeline, records: readonly Uint8Array[]): DnsEvent[] {
  return eventsOf(pipeline, records).filter(({ kind }) => kind === 'dns') as DnsEvent[]
}

export function tableIn(pipeline: Pipeline): DnsTable {
  return pipeline.tables.table('dns')
}

/** The name that a process has for the address of `ANSWER`. */
export function nameIn(pipeline: Pipeline, pid = 7, ip = '198.51.100.9'): KnownName | undefined {
  const opener = { pid, startTicks: undefined, uid: undefined }
  return pipeline.tables.names.find({ socketId: 1n, netNs: 5, opener, remoteIp: ip }, 400)
}

/** A message behind its length. */
export function framed(...messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [words(message.length), message]))
}
