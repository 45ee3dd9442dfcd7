/** Runtimes and an API of Kubernetes for tests, and a source whose records are taken. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceContext } from '../../../facts/rungs.js'
import { Reports } from '../reports.js'
import { messageWith } from '../runtimes/protobuf.js'

/** A path for a socket, which is removed with the test. */
export function socketPath(t: TestContext, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-runtime-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** Answers requests of HTTP on a socket until the test ends. */
export async function serve(t: TestContext, path: string, answer: RequestListener): Promise<void> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
}

export function answerJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

export const ID = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'
export const DIGEST = `sha256:${'1'.repeat(64)}`

/** Answers as Docker does about one container; `delayMs` goes by before each answer. */
export function fakeDocker(delayMs = 0, requests: string[] = []): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const { url = '' } = request
    requests.push(url)
    void sleep(delayMs, undefined, { ref: false }).then(() => {
      if (url === '/containers/json') answerJson(response, [{ Id: ID }])
      else if (url === `/containers/${ID}/json`)
        answerJson(response, {
          Id: ID,
          Name: '/web',
          Image: 'sha256:abc',
          Config: { Image: 'registry:5000/team/web:1.2', Labels: { tier: 'front', odd: 7 } },
        })
      else if (url.startsWith('/images/')) answerJson(response, { RepoDigests: [`team/web@${DIGEST}`] })
      else if (url.startsWith('/events')) response.writeHead(200).flushHeaders()
      else answerJson(response, { message: 'no such container' }, 404)
    })
  }
}

/** The bytes of messages of CRI. */
const text = messageWith
const message = (number: number, ...fields: Buffer[]): Buffer => messageWith(number, Buffer.concat(fields))
const label = (number: number, name: string, value: string): Buffer =>
  message(number, text(1, name), text(2, value))

/** Answers as containerd does about one container of a pod. */
export async function serveCri(t: TestContext, path: string): Promise<void> {
  const server = createHttp2()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const asked: Buffer[] = []
    stream.on('data', (piece: Buffer) => asked.push(piece))
    stream.on('end', () => {
      const isKnown = Buffer.concat(asked).includes(ID)
      const method = String(headers[':path'])
      if (method.endsWith('/ListPodSandbox')) reply(stream, Buffer.alloc(0))
      else if (method.endsWith('/ListContainers')) reply(stream, message(1, text(1, ID)))
      else if (method.endsWith('/ContainerStatus') && isKnown) reply(stream, containerStatus())
      else fail(stream, '5')
    })
  })
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  t.after(() => void server.close())
}

function containerStatus(): Buffer {
  return message(
    1,
    text(1, ID),
    message(2, text(1, 'web')),
    // A number and a fixed one, which are passed over.
    Buffer.from([0x18, 0x01, 0x21, 1, 2, 3, 4, 5, 6, 7, 8]),
    message(8, text(1, 'docker.io/library/nginx:1.27')),
    text(9, `docker.io/library/nginx@${DIGEST}`),
    label(12, 'io.kubernetes.pod.name', 'web-1'),
    label(12, 'io.kubernetes.pod.namespace', 'shop'),
    label(12, 'io.kubernetes.pod.uid', 'pod-uid'),
  )
}

function reply(stream: ServerHttp2Stream, answer: Buffer): void {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(answer.length, 1)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(Buffer.concat([prefix, answer]))
}

function fail(stream: ServerHttp2Stream, status: string): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status },
    { endStream: true },
  )
}

/** What was reported, as texts by the names of records. */
export class TakenReports {
  readonly taken: [record: string, text: string][] = []
  readonly reports: Reports
  lost = 0

  constructor(t: TestContext) {
    const context: SourceContext = {
      clock: { bootNowNs: () => 7, bootEpochNs: 0n },
      push: (layout, _at, values) => {
        this.taken.push([layout.name, Buffer.from((values as { text: Uint8Array }).text).toString('utf8')])
      },
      noteLost: (count) => void (this.lost += count),
      walk: () => false,
    }
    this.reports = new Reports(context)
    t.after(() => this.reports.close())
  }

  /** The texts of one record, parsed where they are JSON. */
  of(name: string): unknown[] {
    this.reports.read()
    return this.taken
      .filter(([record]) => record === name)
      .map(([, one]) => (one.startsWith('{') ? (JSON.parse(one) as unknown) : one))
  }

  /** Waits until something holds. */
  async until(holds: () => boolean, limitMs = 10_000): Promise<void> {
    const end = performance.now() + limitMs
    while (!holds()) {
      if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${JSON.stringify(this.taken)}`)
      await sleep(10)
    }
  }
}
