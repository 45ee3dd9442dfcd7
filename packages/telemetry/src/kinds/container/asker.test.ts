import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { Asker } from './asker.js'
import { CriRuntime } from './runtimes/cri.js'
import { DockerRuntime } from './runtimes/docker.js'
import { fieldsOfMessage, ProtobufError } from './runtimes/protobuf.js'
import type { Runtime } from './runtimes/runtime.js'
import {
  answerJson,
  DIGEST,
  fakeDocker,
  ID,
  serve,
  serveCri,
  socketPath,
  TakenReports,
} from './testing/fakes.js'
import * as fc from 'fast-check'

const LIMIT = { timeout: 60_000 }
const OTHER = 'b'.repeat(64)

const WEB = {
  id: ID,
  runtime: 'docker',
  name: 'web',
  image: 'registry:5000/team/web',
  imageTag: '1.2',
  imageDigest: DIGEST,
  labels: { tier: 'front' },
}

test('Docker is asked about what runs, and once about what is wanted', LIMIT, async (t) => {
  const path = socketPath(t, 'docker.sock')
  const requests: string[] = []
  await serve(t, path, fakeDocker(0, requests))
  const taken = new TakenReports(t)
  const asker = new Asker([new DockerRuntime('docker', path)], taken.reports)
  t.after(() => asker.close())
  await taken.until(() => taken.of('containerDetails').length > 0)
  assert.deepEqual(taken.of('containerDetails'), [WEB])
  for (let i = 0; i < 100; i++) {
    asker.want(ID, 'docker')
    asker.want(OTHER, 'docker')
    asker.want('of-another-runtime', 'lxc')
  }
  await taken.until(() => requests.includes(`/containers/${OTHER}/json`))
  assert.equal(requests.filter((url) => url === `/containers/${ID}/json`).length, 1)
  assert.equal(requests.filter((url) => url === `/containers/${OTHER}/json`).length, 1)
  assert.ok(!requests.some((url) => url.includes('of-another-runtime')))
  assert.deepEqual(taken.of('containerProblem'), [])
})

test('containerd is asked by gRPC, and says what pod a container is in', LIMIT, async (t) => {
  const path = socketPath(t, 'containerd.sock')
  await serveCri(t, path)
  const taken = new TakenReports(t)
  const asker = new Asker([new CriRuntime('containerd', path)], taken.reports)
  t.after(() => asker.close())
  await taken.until(() => taken.of('containerDetails').length > 0)
  assert.deepEqual(taken.of('podDetails'), [{ uid: 'pod-uid', name: 'web-1', namespace: 'shop' }])
  const [container] = taken.of('containerDetails') as Record<string, unknown>[]
  assert.deepEqual(
    { ...container, labels: undefined },
    {
      id: ID,
      runtime: 'containerd',
      name: 'web',
      image: 'docker.io/library/nginx',
      imageTag: '1.27',
      imageDigest: DIGEST,
      podUid: 'pod-uid',
      labels: undefined,
    },
  )
  asker.want(OTHER, undefined)
  asker.want(ID, undefined)
  assert.deepEqual(taken.of('containerProblem'), [])
})

/** Runtimes that are broken, each in its way. */
const BROKEN: Readonly<Record<string, Parameters<typeof serve>[2]>> = {
  'answers no JSON': (_request, response) => void response.end('\u0000\u001b[31m<html>'),
  'answers megabytes': (_request, response) => {
    response.on('error', () => undefined)
    const piece = Buffer.alloc(1 << 20, 0x20)
    for (let i = 0; i < 16; i++) response.write(piece)
    response.end('[]')
  },
  'breaks off': (_request, response) => {
    response.write('[{')
    setTimeout(() => response.destroy(), 5)
  },
  refuses: (_request, response) => answerJson(response, { message: 'no' }, 500),
}

for (const [what, answer] of Object.entries(BROKEN)) {
  test(`a runtime that ${what} is reported once`, LIMIT, async (t) => {
    const path = socketPath(t, 'docker.sock')
    await serve(t, path, answer)
    const taken = new TakenReports(t)
    const asker = new Asker([new DockerRuntime('docker', path)], taken.reports)
    t.after(() => asker.close())
    for (let i = 0; i < 50; i++) asker.want(`${i}`.padStart(64, '0'), 'docker')
    await taken.until(() => taken.of('containerProblem').length > 0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const problems = taken.of('containerProblem') as string[]
    assert.equal(problems.length, 1)
    assert.ok((problems[0] as string).length < 500)
    assert.deepEqual(taken.of('containerDetails'), [])
  })
}

test('a socket on which nobody answers holds nothing up, and is closed', LIMIT, async (t) => {
  const path = socketPath(t, 'docker.sock')
  const server = createServer((socket) => void socket.on('error', () => undefined).resume()).listen(path)
  t.after(() => void server.close())
  const runtimes: Runtime[] = [new DockerRuntime('docker', path), new CriRuntime(undefined, path)]
  const taken = new TakenReports(t)
  const asker = new Asker(runtimes, taken.reports)
  const begin = performance.now()
  for (let i = 0; i < 100_000; i++) asker.want(`${i}`.padStart(64, '0'), undefined)
  assert.ok(performance.now() - begin < 2000)
  asker.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual(taken.taken, [])
})

test('bytes that are no message are refused, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        fieldsOfMessage(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof ProtobufError)
      }
    }),
  )
})
