import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { endianness, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { containerCgroup, runIn } from './kinds/container/testing/cgroups.js'
import type { QuarkOptions } from './kinds/index.js'
import { answerJson, fakeDocker, ID } from './kinds/container/testing/fakes.js'
import { assertEcs, FIELDS, flatten, parse, valueAt } from './output/testing/ecs.js'

const LIMIT = { timeout: 180_000 }
const SECRET = 'hunter2-of-after-the-drop'

/** Opens a queue, gives up all rights, and writes documents of both forms, of each kind some, until its input ends. */
const AGENT = `
const [index, options, empty] = process.argv.slice(1)
const { Quark, createEcs, dropPrivileges } = await import(index)
const quark = await Quark.open(JSON.parse(options))
const context = { host: quark.host, userName: (uid) => quark.userName(uid), groupName: (gid) => quark.groupName(gid) }
const lean = createEcs(context)
const full = createEcs(context, { form: 'full' })
process.stdout.write('C ' + JSON.stringify(quark.capabilities) + '\\n')
dropPrivileges('nobody', empty)
process.stdout.write('ready\\n')
let isOver = false
process.stdin.on('end', () => (isOver = true)).resume()
const counts = new Map()
const write = (event) => process.stdout.write('L ' + lean(event) + '\\nF ' + full(event) + '\\n')
write(quark.startEvent())
while (!isOver) {
  for (const event of quark.poll()) {
    const isMarked = event.process?.argv?.some((one) => one.includes('after-drop')) === true
    const count = (counts.get(event.kind) ?? 0) + 1
    counts.set(event.kind, count)
    if (isMarked || count <= 100 || event.kind.startsWith('container') || event.kind === 'executable') write(event)
  }
  await quark.wait(20)
}
write(quark.endEvent())
await quark.close()
process.exit(process.getuid() === 65534 ? 0 : 1)
`

type Document = Readonly<Record<string, unknown>>

class Agent {
  readonly child: ChildProcess
  readonly lean: Document[] = []
  readonly full: Document[] = []
  text = ''
  #rest = ''
  isReady = false

  constructor(t: TestContext, options: QuarkOptions, empty: string) {
    const index = new URL('index.js', import.meta.url).href
    const args = ['--input-type=module', '-e', AGENT, index, JSON.stringify(options), empty]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child = child
    t.after(() => void child.kill('SIGKILL'))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    })
  }

  #take(line: string): void {
    this.text += `${line}\n`
    if (line === 'ready') this.isReady = true
    else if (line.startsWith('L ')) this.lean.push(parse(line.slice(2)))
    else if (line.startsWith('F ')) this.full.push(parse(line.slice(2)))
  }

  async until(what: string, holds: () => boolean, limitMs = 40_000): Promise<void> {
    const end = performance.now() + limitMs
    while (!holds()) {
      assert.equal(this.child.exitCode, null, 'it has ended')
      assert.ok(performance.now() < end, `${what}: not within ${limitMs} ms`)
      await sleep(20)
    }
  }

  has(values: Readonly<Record<string, unknown>>): boolean {
    return this.lean.some((document) =>
      Object.entries(values).every(([path, value]) => valueAt(document, path) === value),
    )
  }
}

/** Docker, which answers about nothing before it is asked; a connection stays open. */
async function serveDocker(t: TestContext, path: string): Promise<void> {
  const answer = fakeDocker()
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    if (request.url === '/containers/json') answerJson(response, [])
    else answer(request, response)
  })
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
}

const podOf = (uid: string): object => ({
  kind: 'Pod',
  metadata: { uid, name: `${uid}-name`, namespace: 'shop', labels: { app: uid }, resourceVersion: '1' },
  spec: { nodeName: 'node-7', containers: [] },
  status: { phase: 'Running', containerStatuses: [] },
})

const CERTIFICATE =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kube -addext subjectAltName=IP:127.0.0.1'

/** An API of Kubernetes; `watches` are the streams that are open, `pods` what it lists. */
async function serveKubernetes(
  t: TestContext,
  folder: string,
): Promise<{ configFile: string; watches: ServerResponse[]; pods: object[] } | undefined> {
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const args = CERTIFICATE.split(' ').concat('-keyout', keyFile, '-out', certFile)
  if (spawnSync('openssl', args).status !== 0) return undefined
  const watches: ServerResponse[] = []
  const pods: object[] = []
  const keys = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
  const server = createHttps(keys, (request, response) => {
    const url = new URL(request.url ?? '', 'https://127.0.0.1')
    if (url.pathname === '/version') answerJson(response, { gitVersion: 'v1.33.1' })
    else if (url.searchParams.has('watch')) {
      response.writeHead(200).flushHeaders()
      watches.push(response)
    } else answerJson(response, { metadata: { resourceVersion: '1' }, items: pods })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const configFile = join(folder, 'config')
  writeFileSync(
    configFile,
    `
current-context: here
contexts: [{ name: here, context: { cluster: local, user: me } }]
clusters: [{ name: local, cluster: { server: 'https://127.0.0.1:${port}', certificate-authority: cert.pem } }]
users: [{ name: me, user: { token: secret-token } }]
`,
  )
  return { configFile, watches, pods }
}

function frameOf(message: object): Buffer {
  const bytes = Buffer.from(JSON.stringify(message))
  const length = Buffer.alloc(4)
  if (endianness() === 'LE') length.writeUInt32LE(bytes.length)
  else length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

test(
  'after privileges are given up, runtimes, Kubernetes, executables and redaction go on, and all documents are valid ECS',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-dropped-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    const socket = join(folder, 'docker.sock')
    await serveDocker(t, socket)
    const kubernetes = await serveKubernetes(t, folder)
    if (kubernetes === undefined) return t.skip('openssl cannot make a certificate here')
    const fifo = join(folder, 'frames')
    spawnSync('mkfifo', [fifo])
    const frames = openSync(fifo, 'r+')
    t.after(() => closeSync(frames))
    const program = join(folder, 'program')
    copyFileSync('/bin/true', program)
    const cgroup = containerCgroup(t)
    const options: QuarkOptions = {
      all: true,
      snapshot: true,
      backends: ['ebpf'],
      holdMs: 200,
      ringSizeBytes: 2 ** 24,
      containers: true,
      containerSocket: socket,
      containerUsers: true,
      kubeconfig: kubernetes.configFile,
      kubeFrames: fifo,
      executables: true,
      packages: true,
      ancestors: 3,
      maxEnvBytes: 4096,
    }
    const agent = new Agent(t, options, empty)
    await agent.until('the drop', () => agent.isReady)
    await agent.until('a watch', () => kubernetes.watches.length > 0)

    await t.test('a runtime is asked about a container that is seen then', async () => {
      runIn(cgroup, 'after-drop')
      await agent.until('its name', () =>
        agent.has({ 'event.action': 'container-known', 'container.id': ID, 'container.name': 'web' }),
      )
      runIn(cgroup, 'after-drop-again')
      await agent.until('the name in events', () =>
        agent.lean.some(
          (document) =>
            valueAt(document, 'container.name') === 'web' &&
            JSON.stringify(valueAt(document, 'process.args') ?? '').includes('after-drop-again'),
        ),
      )
    })
    await t.test(
      'pods that come then are reported: of the watch, of a list over a new connection, and of frames',
      async () => {
        const isKnown = (uid: string): boolean =>
          agent.has({ 'orchestrator.resource.id': uid, 'orchestrator.resource.name': `${uid}-name` })
        kubernetes.watches[0]?.write(`${JSON.stringify({ type: 'ADDED', object: podOf('watched') })}\n`)
        await agent.until('the pod of the watch', () => isKnown('watched'))
        kubernetes.pods.push(podOf('watched'), podOf('listed'))
        kubernetes.watches[0]?.write(`${JSON.stringify({ type: 'ERROR', object: { code: 410 } })}\n`)
        await agent.until('the pod of the list', () => isKnown('listed'))
        writeSync(frames, frameOf(podOf('framed')))
        await agent.until('the pod of a frame', () => isKnown('framed'))
      },
    )
    await t.test('files that are executed then are read', async () => {
      spawnSync(program, ['after-drop'])
      const sha256 = createHash('sha256').update(readFileSync(program)).digest('hex')
      await agent.until(
        'its sha256',
        () => agent.has({ 'file.hash.sha256': sha256 }) || agent.has({ 'process.hash.sha256': sha256 }),
      )
    })
    await t.test('secrets are replaced', async () => {
      spawnSync('/bin/true', ['after-drop-secret', '--password', SECRET])
      await agent.until('the process', () => agent.text.includes('after-drop-secret'))
      assert.ok(agent.text.includes('[REDACTED:'))
      assert.ok(!agent.text.includes(SECRET))
    })
    agent.child.stdin?.end()
    const [code] = (await once(agent.child, 'exit')) as [number | null]
    assert.equal(code, 0, 'it is not nobody')
    await t.test('all documents are valid ECS, in lean and full form', () => {
      const kinds = new Set<unknown>()
      for (const document of [...agent.lean, ...agent.full]) {
        kinds.add(valueAt(document, 'event.action'))
        for (const [path, value] of flatten(document)) if (!path.startsWith('quark.')) assertEcs(path, value)
        const categories = valueAt(document, 'event.category') as readonly string[]
        const types = valueAt(document, 'event.type') as readonly string[]
        const allowed = categories.flatMap(
          (category) =>
            FIELDS['event.category']?.allowed_values?.find(({ name }) => name === category)
              ?.expected_event_types ?? [],
        )
        for (const type of types) assert.ok(allowed.includes(type), `${categories.join()}: ${type}`)
      }
      assert.equal(agent.lean.length, agent.full.length)
      for (const action of ['stream-started', 'container-known'])
        t.diagnostic(`${action}: ${kinds.has(action)}`)
      t.diagnostic(
        `${agent.lean.length} documents of each form, ${kinds.size} actions: ${[...kinds].join(' ')}`,
      )
      assert.ok(kinds.size >= 6)
    })
  },
)
