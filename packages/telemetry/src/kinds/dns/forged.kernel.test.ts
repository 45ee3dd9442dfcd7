import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LIMIT, SLOW } from '../../names/testing/limit.js'
import { ANSWER_FLAGS, question, wireMessage, wireName, wireRecord } from './testing/messages.js'
import { Helper, watch } from './testing/watch.js'

const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))
const NAMESPACES = new URL('../../testing/namespaces.js', import.meta.url).href
const ADDRESS = '127.5.3.8'
/** What the server answers. */
const WEB = '127.5.0.9'
const ALICE = 4001
const MALLORY = 4002

/** Runs code of node as a user; its pid. */
async function runAs(uid: number, code: string): Promise<number> {
  const child = spawn(process.execPath, ['-e', code], { uid, gid: uid, stdio: 'inherit' })
  const [status] = (await once(child, 'exit')) as [number | null]
  assert.equal(status, 0)
  return child.pid as number
}

function lookUp(name: string): string {
  return `const r = new (require('dns').promises.Resolver)({ timeout: ${10_000 * SLOW}, tries: 1 }); r.setServers(['${ADDRESS}']); r.resolve4('${name}').catch(() => {})`
}

test('what a user asks for names connections of nobody else; what root asks for does', LIMIT, async () => {
  await using _server = await Helper.start(process.execPath, [SERVER, ADDRESS, '53'])
  const web = createServer((socket) => socket.end()).listen(0, WEB)
  await once(web, 'listening')
  const { port } = web.address() as { readonly port: number }
  const connect = `require('net').connect(${port}, '${WEB}').resume()`
  const pids: number[] = []
  const { connections } = await watch(async () => {
    await runAs(MALLORY, lookUp('evil.test'))
    for (const uid of [0, ALICE, MALLORY]) pids.push(await runAs(uid, connect))
    await runAs(0, lookUp('good.test'))
    for (const uid of [0, ALICE, MALLORY]) pids.push(await runAs(uid, connect))
  })
  web.close()
  const namesOf = (pid: number) => {
    const own = connections.filter((one) => one.pid === pid && one.remotePort === port)
    assert.ok(own.length > 0)
    return [...new Set(own.map(({ remoteName, remoteNameSource }) => `${remoteName} ${remoteNameSource}`))]
  }
  const none = ['undefined undefined']
  assert.deepEqual(pids.map(namesOf), [
    none,
    none,
    ['evil.test dnsOfOther'],
    ['good.test dnsOfOther'],
    ['good.test dnsOfOther'],
    // Which one of both it means is not known.
    none,
  ])
})

const PORT = 40_053
const ID = 7
const FORGED = wireMessage({
  id: ID,
  flags: ANSWER_FLAGS,
  questions: [question(wireName('silent', 'test'))],
  answers: [wireRecord(1, Buffer.from([203, 0, 113, 1]))],
})

/** Code that sends the forged answer to who asks. */
function forge(from: string, port: number): string {
  return `const s = require('dgram').createSocket('udp4'); s.bind(${port}, '${from}', () =>
    s.send(Buffer.from('${FORGED.toString('hex')}', 'hex'), ${PORT}, '127.0.0.1', () => s.close()))`
}

test(
  'forged answers: from another port, and from another network namespace that has the address of the server',
  LIMIT,
  async () => {
    await using server = await Helper.start(process.execPath, [SERVER, ADDRESS, '53'])
    const query = wireMessage({ id: ID, questions: [question(wireName('silent', 'test'))] })
    const victim = `const s = require('dgram').createSocket('udp4'); let got = 0
      s.on('message', () => got++)
      s.bind(${PORT}, '127.0.0.1', () => s.send(Buffer.from('${query.toString('hex')}', 'hex'), 53, '${ADDRESS}', () => console.log('ready')))
      process.stdin.on('end', () => { console.log('got ' + got); process.exit() }).resume()`
    const inside = `import { enterNamespaces, raiseLoopback } from '${NAMESPACES}'
      import { createRequire } from 'node:module'
      const require = createRequire('/'); enterNamespaces(); raiseLoopback()
      // Somebody has to have the port, or nothing is received.
      const other = require('dgram').createSocket('udp4'); other.bind(${PORT}, '127.0.0.1', () => {
        ${forge(ADDRESS, 53)}
        setTimeout(() => other.close(), 300) })`
    let text = ''
    let pid: number | undefined
    const { dns, connections, quark } = await watch(async () => {
      const child = spawn(process.execPath, ['-e', victim], { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
      ;({ pid } = child)
      while (!text.includes('ready') || !server.text.includes('silent')) await sleep(20)
      await runAs(MALLORY, forge('127.0.0.1', 0))
      const forger = spawn(process.execPath, ['--input-type=module', '-e', inside], { stdio: 'inherit' })
      assert.deepEqual(await once(forger, 'exit'), [0, null])
      child.stdin.end()
      await once(child, 'exit')
      await runAs(
        0,
        `require('net').connect({ port: 9, host: '203.0.113.1', timeout: 200 }).on('error', () => {}).on('timeout', function () { this.destroy() })`,
      )
    })
    // The process got the first one, and may have believed it; it is from no port of a server.
    assert.match(text, /got 1/)
    const own = dns.filter((event) => event.pid === pid)
    assert.deepEqual(
      own.map(({ actions, name, addresses }) => [actions, name, addresses]),
      [[['query'], 'silent.test', undefined]],
    )
    assert.ok(dns.some(({ addresses }) => addresses?.[0] === '203.0.113.1'))
    for (const { remoteIp, remoteName } of connections) {
      if (remoteIp === '203.0.113.1') assert.equal(remoteName, undefined)
    }
    assert.equal(quark.stats().tables['names']?.['addresses'], 0)
  },
)
