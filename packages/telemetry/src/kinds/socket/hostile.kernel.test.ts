import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { openQuark as openCatalogue, type Quark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { processKind } from '../process/index.js'
import type { ConnectionEvent, SocketSnapshotEvent } from './events.js'
import { findSockets } from './found-files.js'
import { socketKind } from './index.js'
import { HOSTILE, timeWaits } from './testing/hostile.js'
import { type Facts, hasPython, PRELUDE, runProgram } from './testing/situations.js'
import { LIMIT, whyNoDiag } from './testing/watch.js'

const PYTHON = { ...LIMIT, skip: hasPython ? LIMIT.skip : 'there is no Python 3.9 here' }
/** Sockets in TIME_WAIT; `QUARK_TIME_WAITS=131000` is what a busy machine has. */
const TIME_WAITS = Number(process.env['QUARK_TIME_WAITS'] ?? 3000)

function openQuark(options: object = {}): Promise<Quark> {
  return openCatalogue(catalogueOf([processKind, cgroupKind, socketKind] as const), {
    sockets: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
    ...options,
  })
}

async function connectionsOf(name: keyof typeof HOSTILE): Promise<[ConnectionEvent[], Facts]> {
  const quark = await openQuark()
  const facts = await runProgram(name, HOSTILE[name])
  const events = quark.finish() as readonly { readonly kind: string }[]
  await quark.close()
  return [events.flatMap((event) => (event.kind === 'connection' ? [event as ConnectionEvent] : [])), facts]
}

test('a socket that nobody ever received is closed by who threw it away, or by nobody', PYTHON, async () => {
  const [events, facts] = await connectionsOf('inFlight')
  const ends = events.filter(
    ({ localPort, actions }) => localPort === facts.port && actions.includes('close'),
  )
  assert.equal(ends.length, 1)
  assert.ok([facts.pid, undefined].includes(ends[0]?.closerPid))
  assert.deepEqual([ends[0]?.direction, ends[0]?.pid, ends[0]?.sentBytes], ['outbound', facts.pid, 3])
})

test('of what nobody reads the bytes are those that were sent, and that had room', PYTHON, async () => {
  const [events, facts] = await connectionsOf('unread')
  const ours = events.filter(({ localPort, remotePort }) => [localPort, remotePort].includes(facts.port))
  const [client, server] = ['outbound', 'inbound'].map((way) =>
    ours.find(({ direction, actions }) => direction === way && actions.includes('close')),
  )
  const { sent, answered, child } = facts as Facts & { sent: number; answered: number; child: number }
  // The one that the kernel closes last answers with a reset: what it still had to send is not sent.
  assert.deepEqual(
    [client?.pid, server?.pid, client?.closerPid, server?.closerPid],
    [facts.pid, facts.pid, child, child],
  )
  for (const [end, most, other] of [
    [client, sent, answered],
    [server, answered, sent],
  ] as const) {
    assert.ok(
      (end?.sentBytes ?? -1) > 0 && (end?.sentBytes ?? 0) <= most,
      `sent ${end?.sentBytes} of ${most}`,
    )
    assert.ok((end?.receivedBytes ?? -1) > 0 && (end?.receivedBytes ?? 0) <= other)
  }
})

test(
  'connections of network namespaces that are gone at once are those of their processes',
  PYTHON,
  async () => {
    const [events, facts] = await connectionsOf('vanishing')
    const inodes = facts['inodes'] as [number, number][]
    for (const [index, [pid, inode]] of inodes.entries()) {
      const ours = events.filter(({ netNs, pid: owner }) => netNs === inode && owner === pid)
      assert.deepEqual(
        ours
          .map(({ direction, sentBytes, receivedBytes, closerPid }) => [
            direction,
            sentBytes,
            receivedBytes,
            closerPid,
          ])
          .toSorted(),
        [
          ['inbound', 0, index + 1, pid],
          ['outbound', index + 1, 0, pid],
        ],
      )
    }
  },
)

test('what waits for its end alone is in no snapshot, however much of it there is', PYTHON, async (t) => {
  const child = spawn('python3', ['-c', PRELUDE + timeWaits(TIME_WAITS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const facts = JSON.parse(line.toString('latin1')) as Facts & { readonly waiting: number }
    assert.ok(facts.waiting > TIME_WAITS / 2, `${facts.waiting} of ${TIME_WAITS} wait`)
    for (const by of ['sock_diag', 'proc'] as const) {
      const beganMs = performance.now()
      const found = [...findSockets(by, 65_536, 0n)].length
      t.diagnostic(
        `${by}: ${found} sockets beside ${facts.waiting}, ${(performance.now() - beganMs).toFixed(0)} ms`,
      )
      if (by === 'sock_diag' && whyNoDiag() !== undefined) {
        assert.equal(found, 0)
        continue
      }
      assert.ok(found > 2 && found < 3000)
      assert.equal([...findSockets(by, 2, 0n)].length, 2)
    }
    const beganMs = performance.now()
    const quark = await openQuark({ snapshot: true })
    t.diagnostic(`programs: opened in ${(performance.now() - beganMs).toFixed(0)} ms`)
    const found = (quark.finish() as unknown as SocketSnapshotEvent[]).filter(
      ({ kind, netNs }) => (kind as string) === 'socketSnapshot' && netNs === facts['inode'],
    )
    await quark.close()
    assert.deepEqual(found.map(({ state }) => state).toSorted(), ['connected', 'connected', 'listening'])
  } finally {
    child.stdin.end()
    await once(child, 'close')
  }
})
