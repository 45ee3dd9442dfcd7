import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LIMIT, seesSockets } from '../../names/testing/limit.js'
import { ELSEWHERE, HERE, Outsider, outsiderProblem, type Visit } from '../../names/testing/outsider.js'
import { words } from '../../names/testing/packets.js'
import { question, wireMessage, wireName } from './testing/messages.js'
import { Helper, watch } from './testing/watch.js'

const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))

function messageFor(id: number, name: string): Buffer {
  return wireMessage({ id, questions: [question(wireName(...name.split('.')))] })
}

test(
  'what another machine asks a server of this one: each question once, of the server',
  { ...LIMIT, skip: LIMIT.skip || (outsiderProblem ?? false) },
  async () => {
    await using outsider = await Outsider.start()
    await using server = await Helper.start(process.execPath, [SERVER, HERE, '53'])
    const byTcp = messageFor(3, 'tcp.test')
    const visits: readonly Visit[] = [
      ...['udp.test', 'none.test'].map((name, at): Visit => ({
        transport: 'udp',
        fromPort: 41_001 + at,
        port: 53,
        payloads: [messageFor(1 + at, name).toString('hex')],
        answerBytes: 1,
      })),
      {
        transport: 'tcp',
        fromPort: 41_003,
        port: 53,
        payloads: [words(byTcp.length).toString('hex'), byTcp.toString('hex')],
        answerBytes: 2 + byTcp.length + 16,
      },
      {
        transport: 'udp',
        fromPort: 41_004,
        port: 53,
        payloads: [messageFor(4, 'silent.test').toString('hex')],
        answerBytes: 0,
      },
    ]
    const { dns, quark } = await watch(async () => {
      await outsider.visit(visits)
      while (!server.text.includes('silent')) await new Promise((resolve) => setTimeout(resolve, 20))
    })
    const own = dns.filter(({ clientIp }) => clientIp === ELSEWHERE)
    const both = ['query', 'answer']
    assert.deepEqual(
      own.map((event) => [
        event.clientPort,
        event.transport,
        event.name,
        event.actions,
        event.rcode,
        event.pid,
      ]),
      [
        [41_001, 'udp', 'udp.test', both, 'NOERROR', server.pid],
        [41_002, 'udp', 'none.test', both, 'NXDOMAIN', server.pid],
        [41_003, 'tcp', 'tcp.test', both, 'NOERROR', seesSockets ? server.pid : undefined],
        // The server has sent before, from this very socket.
        [41_004, 'udp', 'silent.test', ['query'], undefined, server.pid],
      ],
    )
    for (const event of own) {
      assert.deepEqual([event.direction, event.serverIp, event.process?.pid], ['inbound', HERE, event.pid])
      assert.ok(event.netNs !== undefined)
      assert.equal(event.latencyNs !== undefined && event.latencyNs > 0n, event.actions.length === 2)
    }
    // What others ask for names no connections of this machine.
    assert.equal(quark.stats().tables['names']?.['addresses'], 0)
  },
)
