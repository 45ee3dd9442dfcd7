/** What flows of UDP and raw sockets should be said of situations, for tests and tables. */

import type { RawSocketEvent, UdpFlowEvent, UnixSocketEvent } from '../events.js'
import type { Verdict } from '../../../testing/situation-rows.js'
import type { DATAGRAMS } from './datagrams.js'
import type { Facts } from './situations.js'

export type DatagramEvent = UdpFlowEvent | RawSocketEvent | UnixSocketEvent

/** Situations that a table has. */
export const TABLED = [
  'connected',
  'many',
  'ipv6',
  'mapped',
  'forked',
  'passed',
  'segmented',
  'raw',
] as const satisfies readonly (keyof typeof DATAGRAMS)[]

/** Flows to or from a port, as `pid: who began local->remote out/in sent/received ended`. */
export function flowsOf(
  events: readonly DatagramEvent[],
  port: unknown,
  { pid: ours, child }: Facts,
): string[] {
  const names = new Map<unknown, string>([
    [ours, 'us'],
    [child, 'child'],
  ])
  const name = (pid: number | undefined): string => names.get(pid) ?? (pid === undefined ? 'nobody' : 'other')
  // Others may get the same port.
  const isOurs = (event: DatagramEvent): event is UdpFlowEvent =>
    event.kind === 'udpFlow' && event.localPort === port && [ours, child].includes(event.pid)
  return events
    .flatMap((event) => (isOurs(event) ? event : []))
    .map((event) => {
      const { direction, sentDatagrams, receivedDatagrams, sentBytes, receivedBytes } = event
      const ends = `${event.localIp}->${event.remoteIp}`
      const who = `${name(event.pid)} of ${name(event.openerPid)}, ${event.ended} by ${name(event.closerPid)}`
      return `${direction} ${ends} ${sentDatagrams}/${receivedDatagrams} ${sentBytes}/${receivedBytes} by ${who}`
    })
    .toSorted()
}

export const LOOP = '127.0.0.1->127.0.0.1'
const OURS = 'by us of us, closed by us'

/** Per situation: flows at the port of the client, and at the first server. */
export const FLOWS: Readonly<Partial<Record<keyof typeof DATAGRAMS, readonly [string[], string[]]>>> = {
  connected: [[`outbound ${LOOP} 2/2 7/9 ${OURS}`], [`inbound ${LOOP} 2/2 9/7 ${OURS}`]],
  many: [[`outbound ${LOOP} 1200/0 120000/0 ${OURS}`], [`inbound ${LOOP} 0/1200 0/120000 ${OURS}`]],
  ipv6: [[`outbound ::1->::1 1/0 3/0 ${OURS}`], [`inbound ::1->::1 0/1 0/3 ${OURS}`]],
  mapped: [
    [`outbound ::ffff:127.0.0.1->::ffff:127.0.0.1 1/0 3/0 ${OURS}`],
    [`inbound ${LOOP} 0/1 0/3 ${OURS}`],
  ],
  forked: [[`outbound ${LOOP} 1/1 3/3 ${OURS}`], [`inbound ${LOOP} 1/1 3/3 by child of us, closed by us`]],
  passed: [[`outbound ${LOOP} 1/0 2/0 by child of us, closed by child`], [`inbound ${LOOP} 0/1 0/2 ${OURS}`]],
  segmented: [[`outbound ${LOOP} 10/0 1000/0 ${OURS}`], [`inbound ${LOOP} 0/10 0/1000 ${OURS}`]],
}

/** Raw sockets of a process, as `family: protocol actions by closer`, of one event or two. */
function rawOf(events: readonly DatagramEvent[], { pid, child }: Facts): string[] {
  const actionsOf = new Map<string, string[]>()
  const closers = new Map<string, string>()
  for (const event of events) {
    if (event.kind !== 'rawSocket' || event.pid !== pid) continue
    const { family, protocol, actions, closerPid } = event
    const socket = `${family}: ${protocol}`
    actionsOf.set(socket, [...(actionsOf.get(socket) ?? []), ...actions])
    if (closerPid !== undefined)
      closers.set(socket, closerPid === child ? 'child' : closerPid === pid ? 'us' : 'other')
  }
  return [...actionsOf].map(
    ([socket, actions]) => `${socket} ${actions.join()} by ${closers.get(socket) ?? 'nobody'}`,
  )
}

const RAW = ['ipv4: 1 open,close by child', 'ipv6: 58 open,close by us']

/** What is said of a situation, compared with what happened. */
export function datagramVerdict(
  name: (typeof TABLED)[number],
  facts: Facts,
  events: readonly DatagramEvent[],
): Verdict {
  const [client, server] = name === 'raw' ? [RAW, []] : (FLOWS[name] ?? [[], []])
  const seen =
    name === 'raw'
      ? rawOf(events, facts)
      : [...flowsOf(events, facts.port, facts), ...flowsOf(events, facts['server'], facts)]
  if (seen.length === 0) return { verdict: 'less', notes: ['event'] }
  const expected = [...client, ...server]
  const wrong = seen.filter((text) => !expected.includes(text))
  if (wrong.length > 0 || seen.length !== expected.length)
    return { verdict: 'wrong', notes: [...wrong, ...expected] }
  return { verdict: 'right', notes: [] }
}
