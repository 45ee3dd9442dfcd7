import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ELSEWHERE,
  HERE,
  Outsider,
  outsiderProblem,
  Script,
  type Visit,
} from '../../names/testing/outsider.js'
import { LIMIT, seesSockets, SLOW } from '../../names/testing/limit.js'
import type { QuarkEvent, QuarkOptions } from '../index.js'
import { Quark } from '../../quark.js'
import type { TlsEvent } from './events.js'
import { clientHello } from './testing/client-hello.js'

const WITH_OUTSIDER = { ...LIMIT, skip: LIMIT.skip || (outsiderProblem ?? false) }
const PORT = 8443
const DEFERRED_PORT = 8444
const SILENT_PORT = 8445

/** Answers whatever comes; what is accepted with its first data, too; and a server that never answers. */
const SERVER = `
import select, socket, struct
def listen(port, *options):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in options: s.setsockopt(socket.IPPROTO_TCP, *option)
    s.bind(('${HERE}', port)); s.listen(8); return s
servers = [listen(${PORT}), listen(${DEFERRED_PORT}, (socket.TCP_DEFER_ACCEPT, 10)), listen(${SILENT_PORT})]
print('ready', flush=True)
kept = []
while True:
    for s in select.select(servers, [], [])[0]:
        c, _ = s.accept()
        if s.getsockname()[1] == ${SILENT_PORT}: kept.append(c); continue
        try:
            while len(c.recv(4096)) < 200: pass
            c.send(b'answer'); c.recv(1)
        except OSError: pass
        c.close()
`

/** The events of TLS of what another machine does. */
async function seenOf(visits: readonly Visit[], options: QuarkOptions = {}) {
  await using outsider = await Outsider.start()
  await using server = await Script.start('-c', SERVER)
  await using quark = await Quark.open({
    tls: true,
    tlsPorts: [PORT, DEFERRED_PORT, SILENT_PORT],
    backends: ['ebpf'],
    holdMs: 1000 * SLOW,
    ...options,
  })
  await outsider.visit(visits)
  await sleep(100)
  const events = quark.finish().filter((event): event is TlsEvent & QuarkEvent => event.kind === 'tls')
  assert.equal(quark.stats().lost, 0)
  assert.equal(quark.stats().tables['tls']?.['unread'], 0)
  return { events, serverPid: seesSockets ? server.pid : undefined }
}

const TCP = { transport: 'tcp', answerBytes: 6 } as const

test(
  'what another machine says to a server of this one: the name, and who answers',
  WITH_OUTSIDER,
  async () => {
    const [one, two, three, none] = await Promise.all(
      ['one.example', 'two.example', 'three.example', 'none.example'].map(async (servername) =>
        (await clientHello({ servername })).toString('hex'),
      ),
    )
    assert.ok(one && two && three && none)
    const visits: Visit[] = [
      { ...TCP, fromPort: 40_001, port: PORT, payloads: [one] },
      { ...TCP, fromPort: 40_002, port: PORT, payloads: [two.slice(0, 6), two.slice(6)] },
      // Two of them: what comes to the socket that listens does not end what is read of others.
      { ...TCP, fromPort: 40_003, port: DEFERRED_PORT, payloads: [three] },
      { ...TCP, fromPort: 40_004, port: DEFERRED_PORT, payloads: [three] },
      { ...TCP, fromPort: 40_005, port: SILENT_PORT, payloads: [none], answerBytes: 0 },
      // What is no TLS.
      { ...TCP, fromPort: 40_006, port: PORT, payloads: [Buffer.from('x'.repeat(300)).toString('hex')] },
    ]
    const { events, serverPid } = await seenOf(
      visits.filter(({ port }) => seesSockets || port !== DEFERRED_PORT),
    )
    assert.deepEqual(
      events.map(({ clientPort, serverPort, serverName, pid, process }) => {
        return [clientPort, serverPort, serverName, pid, process?.pid]
      }),
      [
        [40_001, PORT, 'one.example', serverPid, serverPid],
        [40_002, PORT, 'two.example', serverPid, serverPid],
        ...(seesSockets ? [40_003, 40_004] : []).map((port) => {
          return [port, DEFERRED_PORT, 'three.example', serverPid, serverPid]
        }),
        [40_005, SILENT_PORT, 'none.example', undefined, undefined],
      ],
    )
    for (const event of events) {
      assert.deepEqual(
        [event.direction, event.clientIp, event.serverIp, event.version],
        ['inbound', ELSEWHERE, HERE, 'TLSv1.3'],
      )
      assert.ok(event.netNs !== undefined && event.socketId > 0n)
    }
  },
)

test(
  'where nothing joins, who answers is not known; with connections, what comes is an event as well',
  WITH_OUTSIDER,
  async () => {
    const hello = (await clientHello({ servername: 'one.example' })).toString('hex')
    const visits: Visit[] = [{ ...TCP, fromPort: 40_011, port: PORT, payloads: [hello] }]
    for (const options of [{ aggregation: 'none' }, { sockets: true }] as const) {
      const { events, serverPid } = await seenOf(visits, options)
      assert.deepEqual(
        events.map(({ direction, serverName, pid }) => [direction, serverName, pid]),
        [['inbound', 'one.example', 'sockets' in options ? serverPid : undefined]],
      )
    }
  },
)
