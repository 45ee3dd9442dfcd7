/** What is to be seen of situations, as sentences. */

import assert from 'node:assert/strict'
import type { QuarkEvent } from '../../index.js'
import type { ConnectionEvent, ConnectionFailedEvent, ListenerEvent } from '../events.js'
import type { Facts, Situation } from './situations.js'

export type AnySocketEvent = ConnectionEvent | ConnectionFailedEvent | ListenerEvent

export function isOfSocket(event: QuarkEvent): event is AnySocketEvent {
  return event.kind === 'connection' || event.kind === 'connectionFailed' || event.kind === 'listener'
}

/** An event as a sentence: what happened, by whom, and the numbers that are the same in each run. */
export function sentence(event: AnySocketEvent, names: ReadonlyMap<number, string>): string {
  const nameOf = (pid: number | undefined): string => (pid === undefined ? 'nobody' : (names.get(pid) ?? '?'))
  const owner = nameOf(event.pid)
  // The process is the one of the pid.
  if (event.pid !== undefined) assert.equal(event.process?.pid, event.pid)
  if (event.kind === 'connectionFailed') {
    const why = event.abandoned ? 'abandoned' : (event.errno ?? 'unknown')
    return `failed by ${owner} to ${event.remoteIp}: ${why}`
  }
  const actions = event.actions.join('+')
  if (actions === 'listen') return `listen by ${owner}`
  if (event.kind === 'listener') return `${actions} by ${owner}, closed by ${nameOf(event.closerPid)}`
  const { sentBytes, receivedBytes, errno, closerPid, unaccepted, direction } = event
  if (!event.actions.includes('close')) return `${actions} ${direction} by ${owner}`
  const error = errno === undefined ? '' : `, errno ${errno}`
  const end = unaccepted ? ', unaccepted' : `, closed by ${nameOf(closerPid)}`
  return `${actions} ${direction} by ${owner}${end}: ${sentBytes}/${receivedBytes}${error}`
}

/** What is expected, sorted: `connect & close outbound by parent, closed by child: …` are two sentences. */
export function sentencesOf(expected: readonly string[]): string[] {
  const sentences = expected.flatMap((text) => {
    const [, opened = '', rest = ''] = /^(\w+) & close (.*)$/.exec(text) ?? []
    return opened === '' ? [text] : [`${opened} ${rest.replace(/, .*/, '')}`, `close ${rest}`]
  })
  return sentences.toSorted()
}

/** What is to be seen of each situation: of its connections with the port, as sentences. */
export const EXPECTED: Readonly<
  Record<Exclude<Situation, 'reused' | 'namespaces' | 'counted'>, readonly string[]>
> = {
  forked: [
    'connect & close outbound by parent, closed by child: 5/0',
    'accept & close inbound by parent, closed by parent: 0/5',
  ],
  passed: [
    'connect & close outbound by parent, closed by parent: 0/3',
    'accept & close inbound by parent, closed by child: 3/0',
  ],
  silentClose: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'accept+close inbound by parent, closed by parent: 0/0',
  ],
  silentReset: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'close inbound by nobody, unaccepted: 0/0, errno 104',
  ],
  silentRead: [
    'connect & close outbound by parent, closed by parent: 1/0',
    'accept & close inbound by parent, closed by parent: 0/1',
  ],
  killed: [
    'connect & close outbound by child, closed by child: 5/0',
    'accept & close inbound by parent, closed by parent: 0/5',
  ],
  reset: [
    'connect & close outbound by parent, closed by parent: 0/6',
    'accept & close inbound by parent, closed by parent: 6/0, errno 104',
  ],
  halfClosed: [
    'connect & close outbound by parent, closed by parent: 7/9',
    'accept & close inbound by parent, closed by parent: 9/7',
  ],
  large: [
    'connect & close outbound by parent, closed by parent: 3000000/0',
    'accept & close inbound by parent, closed by child: 0/3000000',
  ],
  mapped: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'accept & close inbound by parent, closed by parent: 0/0',
  ],
  nonBlocking: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'accept & close inbound by parent, closed by parent: 0/0',
  ],
  ring: [
    'connect & close outbound by parent, closed by parent: 2/0',
    'accept & close inbound by parent, closed by parent: 0/2',
  ],
  polledRing: [
    'connect & close outbound by parent, closed by parent: 2/0',
    'accept & close inbound by parent, closed by parent: 0/2',
  ],
  refused: [
    'listen & close by parent, closed by parent',
    'failed by parent to 127.0.0.1: 111',
    'failed by parent to 127.0.0.1: 111',
  ],
  exited: [
    'connect & close outbound by child, closed by child: 3/0',
    'accept & close inbound by parent, closed by parent: 0/3',
  ],
  ipv6: [
    'connect & close outbound by parent, closed by parent: 4/0',
    'accept & close inbound by parent, closed by parent: 0/4',
  ],
  abandoned: ['failed by parent to 127.0.0.1: abandoned'],
  fastOpen: [
    'connect & close outbound by parent, closed by parent: 20/0',
    'accept & close inbound by parent, closed by parent: 0/20',
  ],
  twice: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'close inbound by nobody, unaccepted: 0/0, errno 104',
  ],
  unreachable: [
    'connect & close outbound by parent, closed by parent: 0/0',
    'close inbound by nobody, unaccepted: 0/0',
  ],
}

/** The events of a situation: those of its processes, and of its port. */
export function eventsOf(
  events: readonly AnySocketEvent[],
  { pid, child, port }: Facts,
  wanted = port,
): AnySocketEvent[] {
  const pids: unknown[] = [pid, child]
  return events.filter((event) => {
    const { localPort, pid: owner } = event
    const remotePort = event.kind === 'listener' ? undefined : event.remotePort
    const isOurs = owner === undefined || pids.includes(owner)
    return isOurs && (localPort === wanted || remotePort === wanted)
  })
}
