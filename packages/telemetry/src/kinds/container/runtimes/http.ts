/** Bounded requests of HTTP with answers in JSON. */

import type { Agent, IncomingMessage, RequestOptions } from 'node:http'
import { ANSWER_MS, MAX_ANSWER_BYTES, RuntimeProblem } from './runtime.js'

/** Where to ask, and how. */
export interface Asked extends RequestOptions {
  readonly isSecure?: boolean
  readonly agent?: Agent
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  readonly rejectUnauthorized?: boolean
}

/** A complete answer. */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}

/** Asks, and parses the whole answer. */
export async function askJson(asked: Asked, signal: AbortSignal): Promise<JsonAnswer> {
  // One time for all of it: an answer that drips is as bad as none.
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  const response = await ask(asked, limit)
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    sizeBytes += piece.length
    if (sizeBytes > MAX_ANSWER_BYTES) {
      response.destroy()
      throw new RuntimeProblem(`its answer is longer than ${MAX_ANSWER_BYTES >> 20} MiB`)
    }
    pieces.push(piece)
  }
  return { status: response.statusCode ?? 0, body: parsed(Buffer.concat(pieces).toString('utf8')) }
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new RuntimeProblem(`its answer is no JSON: ${JSON.stringify(text.slice(0, 40))}`)
  }
}

/** Asks; resolves with the beginning of the answer. */
export function ask({ isSecure = false, ...options }: Asked, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Loaded when it is needed: that takes some ms of a start.
    const http = isSecure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
    const request = http.request({ ...options, signal }, resolve)
    request.on('error', reject)
    request.end()
  })
}

/** Longest line of a stream. */
const MAX_LINE_BYTES = 4 << 20

/** The lines of a stream that goes on; each has a bounded length. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const piece of response as AsyncIterable<string>) {
    rest += piece
    let end = rest.indexOf('\n')
    while (end >= 0) {
      yield rest.slice(0, end)
      rest = rest.slice(end + 1)
      end = rest.indexOf('\n')
    }
    if (rest.length > MAX_LINE_BYTES) {
      response.destroy()
      throw new RuntimeProblem(`a line of it is longer than ${MAX_LINE_BYTES >> 20} MiB`)
    }
  }
  if (rest !== '') yield rest
}
