import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { kernelAtLeast, probeFeature } from 'quark-ebpf'
import { openQuark as openCatalogue, type Quark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import type { ConnectionEvent, ConnectionFailedEvent, ListenerEvent } from './events.js'
import { socketKind } from './index.js'
import { REDONE } from './testing/redone.js'
import { type Facts, hasPython, runProgram } from './testing/situations.js'
import { LIMIT } from './testing/watch.js'

const PYTHON = { ...LIMIT, skip: hasPython ? LIMIT.skip : 'there is no Python 3.9 here' }

/** Programs of cgroups see what is done to the socket that processes have since 6.3; before, functions do. */
const hasFunctions = probeFeature('fentry').supported || probeFeature('kprobe').supported
const hasMptcp = isMptcpOn() && (kernelAtLeast('6.3') || (kernelAtLeast('6.1') && hasFunctions))
const MPTCP = {
  ...PYTHON,
  skip: hasMptcp ? PYTHON.skip : 'there is no MPTCP here, or too little is seen of it',
}

function isMptcpOn(): boolean {
  try {
    return readFileSync('/proc/sys/net/mptcp/enabled', 'latin1').trim() === '1'
  } catch {
    return false
  }
}

type AnyEvent = ConnectionEvent | ConnectionFailedEvent | ListenerEvent

async function eventsOf(
  name: keyof typeof REDONE,
): Promise<{ readonly events: AnyEvent[]; readonly facts: Facts; readonly quark: Quark }> {
  const quark = await openCatalogue(catalogueOf([processKind, cgroupKind, socketKind] as const), {
    sockets: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
  })
  const facts = await runProgram(name, REDONE[name])
  const pids = [facts.pid, facts['child']]
  const events = (quark.finish() as unknown as AnyEvent[]).filter(({ pid }) => pids.includes(pid))
  await quark.close()
  return { events, facts, quark }
}

test('a connection that the peer reset, and the next one of the same socket, are two', PYTHON, async () => {
  const { events, facts } = await eventsOf('broken')
  const connections = events.flatMap((event) =>
    event.kind === 'connection' && event.direction === 'outbound' ? event : [],
  )
  assert.deepEqual(
    connections.map((event) => [
      event.actions.join(),
      event.localPort,
      event.errno,
      event.sentBytes,
      event.closerPid,
    ]),
    [
      ['connect,close', facts.port, 104, 5, facts.pid],
      ['connect,close', facts['second'], undefined, 0, facts.pid],
    ],
  )
  assert.equal(new Set(connections.map(({ socketId }) => socketId)).size, 1)
})

test('who listens without a bind(2) has a port in the event', PYTHON, async () => {
  const { events, facts } = await eventsOf('unbound')
  assert.deepEqual(
    events.flatMap((event) => (event.kind === 'listener' ? [[event.actions.join(), event.localPort]] : [])),
    [['listen,close', facts.port]],
  )
})

test('connect(2) that finds no local port says so where its function can be hooked', PYTHON, async (t) => {
  const { events, facts, quark } = await eventsOf('noPort')
  const isHooked = quark.capabilities.attached.some(({ fact }) => fact === 'connectErrors')
  if (!isHooked) t.diagnostic('no function can be hooked here')
  const errors = facts['errors'] as number[]
  assert.ok(errors.length > 0)
  assert.deepEqual(
    events.flatMap((event) => (event.kind === 'connectionFailed' ? [event.errno] : [])),
    errors.map((errno) => (isHooked ? errno : undefined)),
  )
})

test('a connection of MPTCP is one, with who opened, accepted and closed it', MPTCP, async () => {
  const { events, facts } = await eventsOf('multipath')
  const connections = events.flatMap((event) => (event.kind === 'connection' ? event : []))
  assert.deepEqual(
    connections
      .map((event) => [
        event.direction,
        event.actions.join(),
        event.pid,
        event.closerPid,
        event.remotePort,
        event.sentBytes,
        event.receivedBytes,
      ])
      .toSorted(),
    [
      ['inbound', 'accept,close', facts['child'], facts['child'], facts.port, 1000, 1000],
      ['outbound', 'connect,close', facts.pid, facts.pid, facts['server'], 1000, 1000],
    ],
  )
})

test('a flood of SYNs makes no event, and the connections among them are seen', PYTHON, async () => {
  const { events, facts } = await eventsOf('synFlood')
  const ours = events.flatMap((event) =>
    event.kind === 'connection' && event.netNs === facts['inode']
      ? [[event.direction, event.actions.join(), event.sentBytes, event.receivedBytes]]
      : [],
  )
  assert.deepEqual(ours.toSorted(), [
    ['inbound', 'accept,close', 0, 1],
    ['outbound', 'connect,close', 1, 0],
  ])
})

test('connections of one port, one behind the other at once, are each one', PYTHON, async () => {
  const { events, facts } = await eventsOf('portReuse')
  const opened = events.flatMap((event) =>
    event.kind === 'connection' && event.netNs === facts['inode'] && event.direction === 'outbound'
      ? event
      : [],
  )
  assert.deepEqual(
    opened.map(({ actions, localPort, sentBytes }) => [actions.join(), localPort, sentBytes]),
    Array.from({ length: 300 }, (_, i) => ['connect,close', 7001, i + 1]),
  )
})
