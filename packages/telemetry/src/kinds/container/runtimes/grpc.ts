/** Single calls of gRPC over a socket: one request, one answer. */

import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'
import { ANSWER_MS, MAX_ANSWER_BYTES, RuntimeProblem } from './runtime.js'

const OK = '0'
/** What is not there: a container that has gone, or is of another runtime. */
const NOT_FOUND = '5'
/** A flag for compression, which is not asked for, and four bytes of length. */
const PREFIX_BYTES = 5

/** A connection that is made when it is first needed, and again when it has ended. */
export class GrpcClient {
  readonly #socketPath: string
  #session: ClientHttp2Session | undefined

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /**
   * Calls a method.
   *
   * @returns the message of the answer; undefined if what it is about is not there
   */
  async call(method: string, message: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
    signal.throwIfAborted()
    const session = this.#open()
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': method,
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': 'quark',
      },
      { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) },
    )
    const prefix = Buffer.alloc(PREFIX_BYTES)
    prefix.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([prefix, message]))
    let headers: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (sent) => (headers = sent))
    stream.on('trailers', (sent) => (trailers = sent))
    const pieces: Buffer[] = []
    let sizeBytes = 0
    for await (const piece of stream as AsyncIterable<Buffer>) {
      sizeBytes += piece.length
      if (sizeBytes > MAX_ANSWER_BYTES) {
        stream.close()
        throw new RuntimeProblem(`its answer is longer than ${MAX_ANSWER_BYTES >> 20} MiB`)
      }
      pieces.push(piece)
    }
    // An error without a message has its status among the headers.
    const status = trailers['grpc-status'] ?? headers['grpc-status']
    if (status === NOT_FOUND) return undefined
    if (status !== OK) {
      const reason = String(trailers['grpc-message'] ?? headers['grpc-message'] ?? '').slice(0, 200)
      throw new RuntimeProblem(`it answers with status ${String(status)} ${reason}`.trimEnd())
    }
    const answer = Buffer.concat(pieces)
    if (answer.length < PREFIX_BYTES || answer.readUInt32BE(1) !== answer.length - PREFIX_BYTES)
      throw new RuntimeProblem('its answer is no message of gRPC')
    return answer.subarray(PREFIX_BYTES)
  }

  close(): void {
    this.#session?.destroy()
    this.#session = undefined
  }

  #open(): ClientHttp2Session {
    const known = this.#session
    if (known !== undefined && !known.closed && !known.destroyed) return known
    // Loaded when they are needed: that takes some ms of a start.
    const http2 = process.getBuiltinModule('node:http2')
    const net = process.getBuiltinModule('node:net')
    const session = http2.connect('http://localhost', {
      createConnection: () => net.connect(this.#socketPath),
    })
    // Streams report it to whoever waits for them.
    session.on('error', () => undefined)
    session.unref()
    this.#session = session
    return session
  }
}
