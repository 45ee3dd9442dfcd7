import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LIMIT, SLOW } from '../../names/testing/limit.js'
import type { QuarkEvent, ReplayOptions } from '../../kinds/index.js'
import { Quark } from '../../quark.js'
import { Helper, runCommand } from './testing/watch.js'

const RESOLVER = '127.5.3.2'
/** What the resolver answers. */
const ANSWER = '127.5.0.9'
const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))

/** Looks two names up, and connects to what they gave. */
function client(port: number): string {
  return `const r = new (require('dns').promises.Resolver)({ timeout: ${2000 * SLOW}, tries: 1 })
    r.setServers(['${RESOLVER}'])
    const talk = (host) => new Promise((done) => require('net').connect(${port}, host).on('close', done).resume())
    ;(async () => {
      await talk((await r.resolve4('WWW.one.test'))[0])
      await r.resolve4('www.other.example').catch(() => {})
    })()`
}

/** Kind and name of what has to do with the resolver and its answer. */
function named(event: QuarkEvent): string[] {
  if (event.kind === 'dns' && event.serverIp === RESOLVER) return [`dns ${event.name}`]
  if (event.kind !== 'connection' || event.remoteIp !== ANSWER) return []
  return [`connection ${event.remoteName}`]
}

test(
  'names of DNS and of hosts choose lookups and the connections that follow, live and in a replay',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-dns-filters-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const record = join(folder, 'recording')
    const server = createServer((socket) => socket.end())
      .listen(0, ANSWER)
      .unref()
    await once(server, 'listening')
    const { port } = server.address() as { readonly port: number }
    await using resolver = await Helper.start(process.execPath, [SERVER, RESOLVER, '53'])
    const quark = await Quark.open({
      dns: true,
      sockets: true,
      backends: ['ebpf'],
      where: { dnsName: '*.One.test' },
      record,
    })
    await runCommand(process.execPath, ['-e', client(port)])
    const live = [...quark.poll(), ...quark.finish()]
    await quark.close()
    assert.match(resolver.text, /www\.other\.example/)
    assert.deepEqual([...new Set(live.flatMap(named))].sort(), [
      'connection www.one.test',
      'dns www.one.test',
    ])
    server.close()

    const replay = async (where: NonNullable<ReplayOptions['where']>): Promise<string[]> => {
      const events: QuarkEvent[] = []
      await using quark = await Quark.replay(record, { where })
      for await (const event of quark) events.push(event)
      return [...new Set(events.flatMap(named))].sort()
    }
    assert.deepEqual(await replay({ dnsName: '*.example' }), ['dns www.other.example'])
    assert.deepEqual(await replay({ host: '*.one.test' }), ['connection www.one.test'])
    assert.deepEqual(await replay({ host: RESOLVER, port: 53 }), [
      'dns www.one.test',
      'dns www.other.example',
    ])
    assert.deepEqual(await replay({ dnsName: 'one.test' }), [])
  },
)
