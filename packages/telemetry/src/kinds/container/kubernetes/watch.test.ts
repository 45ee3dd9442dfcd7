import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { endianness, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { TakenReports } from '../testing/fakes.js'
import { kubeApi } from './config.js'
import { Frames, framesOf, reportMessage } from './frames.js'
import { PodWatch } from './watch.js'

const LIMIT = { timeout: 60_000 }
const folder = mkdtempSync(join(tmpdir(), 'quark-kube-'))
after(() => rmSync(folder, { recursive: true }))
const keyFile = join(folder, 'key.pem')
const certFile = join(folder, 'cert.pem')
const REQUEST =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kube -addext subjectAltName=IP:127.0.0.1'
const made = spawnSync('openssl', REQUEST.split(' ').concat('-keyout', keyFile, '-out', certFile))
const skip = made.status === 0 ? false : 'openssl cannot make a certificate here'

const ID = 'c'.repeat(64)

function pod(uid: string, version: string, app = 'web'): object {
  return {
    kind: 'Pod',
    metadata: { uid, name: `${uid}-name`, namespace: 'shop', labels: { app }, resourceVersion: version },
    spec: { nodeName: 'node-7' },
    status: {
      phase: 'Running',
      podIPs: [{ ip: '10.0.0.7' }, { ip: 'not one' }],
      containerStatuses: [
        {
          name: 'web',
          image: 'nginx:1',
          imageID: `nginx@sha256:${'d'.repeat(64)}`,
          containerID: `containerd://${ID}`,
        },
        { name: 'waiting', image: 'nginx:1', state: { waiting: {} } },
      ],
    },
  }
}

type Answer = (url: URL, response: ServerResponse, request: IncomingMessage) => void

/** An API on this machine, and a watch of it. */
async function watched(t: TestContext, answer: Answer): Promise<{ taken: TakenReports; configFile: string }> {
  const server = createServer(
    { key: readFileSync(keyFile), cert: readFileSync(certFile) },
    (request, response) => {
      const url = new URL(request.url ?? '', 'https://127.0.0.1')
      if (url.pathname === '/version') response.end('{"gitVersion":"v1.33.1"}')
      else answer(url, response, request)
    },
  )
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const configFile = join(folder, `config-${port}`)
  writeFileSync(configFile, kubeconfig(port))
  const taken = new TakenReports(t)
  const watch = new PodWatch(kubeApi(configFile), taken.reports, 20)
  t.after(() => {
    watch.close()
    server.closeAllConnections()
    server.close()
  })
  void watch.run()
  return { taken, configFile }
}

function kubeconfig(port: number): string {
  return `
apiVersion: v1
kind: Config
current-context: here
contexts: [{ name: here, context: { cluster: local, user: me } }]
clusters:
  - name: local
    cluster: { server: 'https://127.0.0.1:${port}', certificate-authority: cert.pem }
users:
  - name: me
    user: { token: secret-token }
`
}

const list = (response: ServerResponse, version: string, ...items: object[]): void =>
  void response.end(JSON.stringify({ metadata: { resourceVersion: version }, items }))
const change = (response: ServerResponse, type: string, object: object): void =>
  void response.write(`${JSON.stringify({ type, object })}\n`)
const uids = (taken: TakenReports): unknown[] =>
  taken.of('podDetails').map((one) => (one as { uid: string }).uid)

test(
  'pods of the node are listed and watched, and go when they are deleted',
  { ...LIMIT, skip },
  async (t) => {
    const asked: string[] = []
    const { taken } = await watched(t, (url, response, request) => {
      asked.push(`${request.headers.authorization} ${url.searchParams.get('fieldSelector')}`)
      if (url.searchParams.get('watch') === null) return list(response, '1', pod('a', '1'))
      assert.equal(url.searchParams.get('resourceVersion'), '1')
      change(response, 'ADDED', pod('b', '2'))
      change(response, 'MODIFIED', pod('b', '3'))
      change(response, 'BOOKMARK', { metadata: { resourceVersion: '4' } })
      change(response, 'DELETED', pod('b', '5'))
    })
    await taken.until(() => taken.of('podGone').length > 0)
    // What changed nothing that is shown is not repeated.
    assert.deepEqual(uids(taken), ['a', 'b'])
    assert.deepEqual(taken.of('podGone'), ['b'])
    assert.deepEqual(taken.of('clusterDetails'), [{ version: 'v1.33.1' }])
    assert.deepEqual(taken.of('podDetails')[0], {
      uid: 'a',
      name: 'a-name',
      namespace: 'shop',
      node: 'node-7',
      ips: ['10.0.0.7'],
      labels: { app: 'web' },
    })
    assert.deepEqual(taken.of('containerDetails')[0], {
      id: ID,
      runtime: 'containerd',
      name: 'web',
      image: 'nginx',
      imageTag: '1',
      imageDigest: `sha256:${'d'.repeat(64)}`,
      podUid: 'a',
    })
    assert.match(asked[0] as string, /^Bearer secret-token spec.nodeName=/)
  },
)

test(
  'after 410 the list is asked for again, and pods that went meanwhile are gone',
  { ...LIMIT, skip },
  async (t) => {
    let lists = 0
    const { taken } = await watched(t, (url, response) => {
      if (url.searchParams.get('watch') === null) {
        lists += 1
        return lists === 1
          ? list(response, '1', pod('a', '1'), pod('b', '1'))
          : list(response, '9', pod('b', '1'))
      }
      if (lists > 1) return
      change(response, 'ERROR', { code: 410, message: 'too old' })
      response.end()
    })
    await taken.until(() => taken.of('podGone').length > 0)
    assert.deepEqual(taken.of('podGone'), ['a'])
    assert.deepEqual(taken.of('containerProblem'), [])
  },
)

test(
  'an API that refuses, breaks off or answers nonsense is reported once, and asked again',
  { ...LIMIT, skip },
  async (t) => {
    let requests = 0
    const { taken } = await watched(t, (url, response) => {
      requests += 1
      if (requests === 1) return void response.writeHead(401).end('{"message":"token expired"}')
      if (requests === 2) return void response.end('<html>')
      if (requests === 3) return void response.destroy()
      if (url.searchParams.get('watch') === null) return list(response, '1', pod('a', '1'))
      change(response, 'ADDED', pod('z', '2'))
    })
    await taken.until(() => uids(taken).includes('z'))
    const problems = taken.of('containerProblem') as string[]
    assert.equal(problems.length, 1)
    assert.match(
      problems[0] as string,
      /Cannot ask Kubernetes at .*: it answers with status 401: token expired/,
    )
  },
)

test('a cluster that relabels all the time, and lists in pages', { ...LIMIT, skip }, async (t) => {
  const { taken } = await watched(t, (url, response) => {
    if (url.searchParams.get('watch') === null) {
      const more = url.searchParams.get('continue') === null
      const metadata = { resourceVersion: '1', ...(more ? { continue: 'next' } : {}) }
      return void response.end(JSON.stringify({ metadata, items: [pod(more ? 'a' : 'b', '1')] }))
    }
    for (let i = 0; i < 500; i++) change(response, 'MODIFIED', pod('a', String(i + 2), `app${i}`))
  })
  await taken.until(() => taken.of('podDetails').length >= 502)
  assert.deepEqual(uids(taken).slice(0, 2), ['a', 'b'])
})

test('an API that has no end of pods fills no memory', { ...LIMIT, skip }, async (t) => {
  let isListed = false
  const { taken } = await watched(t, (url, response) => {
    if (url.searchParams.get('watch') === null) return list(response, '1', pod('first', '1'))
    if (isListed) return
    isListed = true
    for (let i = 0; i < 6000; i++) change(response, 'ADDED', pod(`pod-${i}`, String(i + 2)))
    change(response, 'DELETED', pod('first', '9000'))
  })
  await taken.until(() => taken.of('podGone').length > 0)
  assert.ok(taken.of('podDetails').length <= 4096)
  assert.deepEqual(taken.of('podGone'), ['first'])
})

test('a file that does not say how to reach an API is refused with the reason', () => {
  const wrong = (text: string, message: RegExp): void => {
    const path = join(folder, 'wrong')
    writeFileSync(path, text)
    assert.throws(() => kubeApi(path), message)
  }
  wrong('{', /cannot be used/)
  wrong('current-context: x\n', /it has no context "x"/)
  wrong(
    'current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: "ftp://x"}}]\nusers: [{name: u, user: {}}]\n',
    /no address of HTTP/,
  )
  wrong(
    'current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: "https://x"}}]\nusers: [{name: u, user: {exec: {command: aws}}}]\n',
    /needs a program to log in/,
  )
  assert.throws(() => kubeApi(join(folder, 'missing')), /cannot be used/)
})

function frame(message: unknown): Buffer {
  const text = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([length, text])
}

test('messages of quark-kube-talker come in pieces of any size', (t) => {
  const taken = new TakenReports(t)
  const bytes = Buffer.concat([
    frame({ kind: 'ClusterVersion', version: 'v1.33.1' }),
    frame({ kind: 'GcpMeta', instance: { attributes: { 'cluster-name': 'prod', 'cluster-uid': 'c0ffee' } } }),
    frame('no json'),
    frame(pod('a', '1')),
    frame({ ...pod('a', '2'), metadata: { uid: 'a', deletionTimestamp: 'now' } }),
    frame({ kind: 'Other' }),
  ])
  for (const size of [1, 3, 7, 4096]) {
    const frames = new Frames((message) => reportMessage(message, taken.reports))
    for (let at = 0; at < bytes.length; at += size) frames.add(bytes.subarray(at, at + size))
  }
  assert.deepEqual(uids(taken), ['a', 'a', 'a', 'a'])
  assert.deepEqual(taken.of('podGone'), ['a', 'a', 'a', 'a'])
  assert.deepEqual(taken.of('clusterDetails').slice(0, 2), [
    { version: 'v1.33.1' },
    { name: 'prod', id: 'c0ffee' },
  ])
  const frames = new Frames(() => undefined)
  assert.throws(() => frames.add(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0])), RangeError)
})

test('a FIFO is read whoever comes first, and after its writer went', LIMIT, async (t) => {
  const path = join(folder, 'fifo')
  spawnSync('mkfifo', [path])
  const taken = new TakenReports(t)
  const asking = framesOf(path, taken.reports)
  t.after(() => asking.close())
  for (const version of ['v1.1', 'v1.2']) {
    const bytes = Buffer.from(JSON.stringify({ kind: 'ClusterVersion', version }))
    const length = Buffer.alloc(4)
    if (endianness() === 'LE') length.writeUInt32LE(bytes.length)
    else length.writeUInt32BE(bytes.length)
    const writer = openSync(path, 'w')
    writeSync(writer, Buffer.concat([length, bytes]))
    closeSync(writer)
    await taken.until(() => JSON.stringify(taken.of('clusterDetails')).includes(version))
  }
  const file = join(folder, 'frames')
  writeFileSync(file, Buffer.from([0xff, 0xff, 0xff, 0xff]))
  const other = framesOf(file, taken.reports)
  t.after(() => other.close())
  await taken.until(() => taken.of('containerProblem').length > 0)
  assert.throws(() => framesOf(join(folder, 'nowhere'), taken.reports), /nowhere cannot be read: ENOENT/)
})
