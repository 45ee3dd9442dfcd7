import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LIMIT, seesSockets, SLOW } from '../../names/testing/limit.js'
import type { DnsEvent } from './events.js'
import { Helper, runCommand, watch } from './testing/watch.js'

const ADDRESS = '127.5.3.1'
const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))

function serve(): Promise<Helper> {
  return Helper.start(process.execPath, [SERVER, ADDRESS, '53'])
}

/** Looks names up in turn by node's own resolver. */
function lookUp(...names: readonly string[]): ReturnType<typeof runCommand> {
  const code = `// Guests are slow: only what nobody answers is given up soon.
    const of = (timeout) => { const r = new (require('dns').promises.Resolver)({ timeout, tries: 2 })
      r.setServers(['${ADDRESS}']); return r }
    ;(async () => { for (const name of ${JSON.stringify(names)})
      console.log(name, await of(name.startsWith('silent') ? 300 : ${10_000 * SLOW}).resolve4(name).then((a) => a.length, (e) => e.code)) })()`
  return runCommand(process.execPath, ['-e', code])
}

/** One line for each question, as the server prints it. */
function lineOf({ transport, clientIp, clientPort, name, type }: DnsEvent): string {
  return `${transport} ${clientIp} ${clientPort} ${name} ${type === 'A' ? 1 : type}`
}

/** Events of this server alone: others may look names up meanwhile. */
function ofServer(events: readonly DnsEvent[]): DnsEvent[] {
  return events.filter(({ serverIp }) => serverIp === ADDRESS)
}

test('the resolver of node: every question once, by UDP and TCP, answered or not', LIMIT, async () => {
  await using server = await serve()
  let client = { pid: 0, text: '', status: 0 as number | null }
  const { dns, quark } = await watch(async () => {
    client = await lookUp('WWW.test', 'none.test', 'long.test', 'silent.test')
  })
  assert.equal(client.text, 'WWW.test 1\nnone.test ENOTFOUND\nlong.test 2000\nsilent.test ETIMEOUT\n')
  const events = ofServer(dns)
  const asked = server.text.split('\n').filter((line) => / /.test(line))
  // What is asked again is the same question.
  assert.deepEqual(
    [...new Set(events.filter(({ actions }) => actions.includes('query')).map(lineOf))].sort(),
    [...new Set(asked)].sort(),
  )
  const actionsOf = (event: DnsEvent): string => event.actions.join('+')
  const [silent, ...again] = events.filter(({ name }) => name === 'silent.test')
  for (const event of [silent, ...again]) assert.equal(event && actionsOf(event), 'query')
  // Where an answer takes longer than the hold time it is an event of its own.
  const answered = new Map<string, string>()
  for (const event of events.filter(({ name }) => name !== 'silent.test')) {
    const key = `${event.transport} ${event.name}`
    answered.set(key, `${answered.has(key) ? `${answered.get(key)}+` : ''}${actionsOf(event)}`)
  }
  assert.deepEqual(
    [...answered],
    ['udp www.test', 'udp none.test', 'udp long.test', 'tcp long.test'].map((key) => [key, 'query+answer']),
  )
  assert.deepEqual(
    events
      .filter(({ actions }) => actions.includes('answer'))
      .map(({ transport, name, rcode, answerCount, flags }) => {
        return [transport, name, rcode, answerCount, flags.includes('TC')]
      }),
    [
      ['udp', 'www.test', 'NOERROR', 1, false],
      ['udp', 'none.test', 'NXDOMAIN', 0, false],
      ['udp', 'long.test', 'NOERROR', 0, true],
      ['tcp', 'long.test', 'NOERROR', 2000, false],
    ],
  )
  for (const event of events) {
    assert.deepEqual([event.pid, event.process?.pid, event.direction], [client.pid, client.pid, 'outbound'])
    const isServerKnown = event.actions.includes('answer') && (seesSockets || event.transport === 'udp')
    assert.equal(event.serverPid, isServerKnown ? server.pid : undefined)
    assert.ok(event.netNs !== undefined && event.socketId !== undefined)
  }
  const long = events.find(({ transport, actions }) => transport === 'tcp' && actions.includes('answer'))
  assert.ok((long?.answerBytes ?? 0) > 32_000 && long?.isCut === true && long.answers?.length === 32)
  assert.equal(quark.stats().lost, 0)
  const { lostStreams, undecoded } = quark.stats().tables['dns'] ?? {}
  assert.deepEqual([lostStreams, undecoded], [0, 0])
})

test('later connections are to the name that was asked for', LIMIT, async () => {
  await using _server = await serve()
  const web = createServer((socket) => socket.end()).listen(0, '127.5.0.9')
  await once(web, 'listening')
  const { port } = web.address() as { port: number }
  let client = { pid: 0, text: '', status: 0 as number | null }
  try {
    const code = `const r = new (require('dns').promises.Resolver)({ timeout: ${5000 * SLOW}, tries: 1 }); r.setServers(['${ADDRESS}'])
      r.resolve4('web.test').then(([ip]) => require('net').connect(${port}, ip).resume())`
    const { connections } = await watch(async () => {
      client = await runCommand(process.execPath, ['-e', code])
    })
    const ends = connections.filter(({ remotePort }) => remotePort === port)
    assert.ok(ends.length > 0)
    for (const { pid, remoteName, remoteNameSource, remoteIp } of ends) {
      assert.deepEqual(
        [pid, remoteIp, remoteName, remoteNameSource],
        [client.pid, '127.5.0.9', 'web.test', 'dns'],
      )
    }
  } finally {
    web.close()
  }
})

const SHARED = `import os, socket
def ask(s, name):
    s.send(b'\\0\\7\\1\\0\\0\\1' + bytes(6) + bytes([len(name)]) + name + b'\\4test\\0\\0\\1\\0\\1')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('${ADDRESS}', 53))
ask(s, b'parent')
child = os.fork()
if child == 0:
    s.recv(512)
    ask(s, b'child')
    os._exit(0)
os.waitpid(child, 0)
s.recv(512)
print(child)`

const hasPython = spawnSync('python3', ['--version']).status === 0
const WITH_PYTHON = { ...LIMIT, skip: LIMIT.skip || (hasPython ? false : 'needs python3') }

test(
  'of processes that share a socket, a question and its answer are of who asked',
  WITH_PYTHON,
  async () => {
    await using _server = await serve()
    let parent = { pid: 0, text: '', status: 0 as number | null }
    const { dns } = await watch(async () => {
      parent = await runCommand('python3', ['-c', SHARED])
    })
    // The first answer is read by the child, and the second one by the parent. Launchers of python may have other pids.
    const child = Number(parent.text)
    const events = ofServer(dns).map(({ name, actions, pid }) => [name, actions.join('+'), pid === child])
    assert.deepEqual(events, [
      ['parent.test', 'query+answer', false],
      ['child.test', 'query+answer', true],
    ])
  },
)

test('other ports, and messages as they were sent', LIMIT, async () => {
  await using _server = await Helper.start(process.execPath, [SERVER, ADDRESS, '5399'])
  const code = `const r = new (require('dns').promises.Resolver)({ timeout: ${5000 * SLOW}, tries: 1 }); r.setServers(['${ADDRESS}:5399']); r.resolve4('www.test')`
  const { dns } = await watch(
    async () => {
      await runCommand(process.execPath, ['-e', code])
    },
    { dnsPorts: [5399], dnsPackets: true },
  )
  const [event, ...more] = ofServer(dns)
  assert.deepEqual([more, event?.name, event?.protocol], [[], 'www.test', 'dns'])
  const messages = [event?.queryMessage, event?.answerMessage].map((bytes) => Buffer.from(bytes ?? []))
  for (const message of messages) assert.ok(message.includes('\x03www\x04test\x00', 'latin1'))
})
