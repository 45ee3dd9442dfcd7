import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { errorText } from '../report.js'
import { serve } from './server.js'

const PAGE = { type: 'text/plain', render: async () => 'numbers\n' }

function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-metrics-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'socket')
}

/** Status and text of an answer. */
function asked(options: object): Promise<[status: number | undefined, text: string]> {
  return new Promise((resolve, reject) => {
    const asking = request({ path: '/metrics', agent: false, ...options }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve([response.statusCode, text]))
    })
    asking.on('error', reject).end()
  })
}

async function refusal(step: () => Promise<unknown>): Promise<string> {
  try {
    await step()
  } catch (error) {
    return errorText(error, false)
  }
  return assert.fail('nothing is wrong')
}

test('a Unix socket is for its owner, answers one path, and is gone at the end', async (t) => {
  const path = socketPath(t)
  const end = await serve({ path }, PAGE)
  t.after(end)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(await asked({ socketPath: path }), [200, 'numbers\n'])
  assert.deepEqual(await asked({ socketPath: path, path: '/metrics?name=x' }), [200, 'numbers\n'])
  assert.deepEqual(await asked({ socketPath: path, method: 'HEAD' }), [200, ''])
  assert.deepEqual(await asked({ socketPath: path, path: '/' }), [404, 'Metrics are at /metrics\n'])
  assert.deepEqual(await asked({ socketPath: path, method: 'POST' }), [405, 'GET only\n'])
  end()
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(!existsSync(path))
})

test('a port answers by the names of this machine only: a page of others must not lead a browser here', async (t) => {
  const port = await freePort()
  const end = await serve({ host: '127.0.0.1', port }, PAGE)
  t.after(end)
  for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]'])
    assert.equal((await asked({ port, host: '127.0.0.1', headers: { host } }))[0], 200, host)
  assert.equal((await asked({ port, host: '127.0.0.1', headers: { host: 'example.org' } }))[0], 403)

  const err = await refusal(() => serve({ host: '127.0.0.1', port }, PAGE))
  assert.match(
    err,
    /^quark-mon: Cannot serve metrics at 127\.0\.0\.1:\d+\n {2}because: .*something listens there already/,
  )
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('the socket of a killed run is taken over, and nothing else is', async (t) => {
  const path = socketPath(t)
  // Killed, it leaves the socket behind.
  spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ])
  assert.ok(statSync(path).isSocket())
  const end = await serve({ path }, PAGE)
  t.after(end)
  assert.equal((await asked({ socketPath: path }))[0], 200)
  assert.match(await refusal(() => serve({ path }, PAGE)), /another program serves there \(end it/)
  const file = `${path}.file`
  writeFileSync(file, 'precious')
  assert.match(await refusal(() => serve({ path: file }, PAGE)), /exists and is no socket \(remove it/)
  assert.equal(statSync(file).size, 8)
  assert.match(
    await refusal(() => serve({ path: '/nonexistent/socket' }, PAGE)),
    /^quark-mon: Cannot serve metrics at \/nonexistent\/socket\n {2}because: /,
  )
})

test('who connects and never asks, or asks with too much, takes a place for a while and no more', async (t) => {
  const path = socketPath(t)
  const end = await serve({ path }, PAGE)
  t.after(end)
  const idle: Socket[] = []
  t.after(() => idle.forEach((socket) => socket.destroy()))
  const closed = new Promise<void>((resolve) => {
    for (let i = 0; i < 17; i++) {
      const socket = connect(path)
      socket.on('error', () => {})
      socket.on('close', () => resolve())
      idle.push(socket)
    }
  })
  // One more than there are places.
  await closed
  for (const socket of idle) socket.destroy()
  const long = new Promise<number | undefined>((resolve, reject) => {
    get(
      { socketPath: path, path: '/metrics', agent: false, headers: { x: 'y'.repeat(9000) } },
      (response) => {
        response.resume()
        resolve(response.statusCode)
      },
    ).on('error', reject)
  })
  assert.equal(await long, 431)
})
