/** A small HTTP server that answers one path, and takes little from whoever connects. */

import { lstatSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { addressText, type MetricsAddress } from './address.js'

const PATH = '/metrics'
const MAX_CONNECTIONS = 16
const MAX_HEADER_BYTES = 8192
/** A request must be whole by then, and an answer taken. */
const REQUEST_MS = 5000
const IDLE_MS = 10_000
/** A Unix socket is for its owner, unless somebody changes that. */
const SOCKET_MASK = 0o177

/** What is served: its media type and text. */
export interface Page {
  readonly type: string
  render(): Promise<string>
}

/**
 * Serves a page until it is closed. It does not keep the process from ending.
 *
 * @throws when the address cannot be had
 */
export async function serve(address: MetricsAddress, page: Page): Promise<() => void> {
  if ('path' in address) await removeStale(address.path)
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: REQUEST_MS,
    },
    (request, response) => answer(request, response, address, page),
  )
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(IDLE_MS)
  await listen(server, address)
  server.unref()
  return () => {
    server.close()
    server.closeAllConnections()
  }
}

function listen(server: Server, address: MetricsAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error(`Cannot serve metrics at ${addressText(address)}`, { cause }))
    })
    server.once('listening', resolve)
    const before = 'path' in address ? process.umask(SOCKET_MASK) : undefined
    try {
      server.listen(address)
    } finally {
      if (before !== undefined) process.umask(before)
    }
  })
}

/**
 * Removes the socket of a run that was killed.
 *
 * @throws when something else is there, or somebody listens
 */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new Error(
      `Cannot serve metrics at ${path}: it exists and is no socket (remove it, or give another path)`,
    )
  }
  if (await isListening(path)) {
    throw new Error(
      `Cannot serve metrics at ${path}: another program serves there (end it, or give another path)`,
    )
  }
  unlinkSync(path)
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Only where nobody listens it is refused; where one may not connect, somebody may.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'))
  })
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  address: MetricsAddress,
  { type, render }: Page,
): void {
  const refuse = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
    response.end(`${text}\n`)
  }
  request.resume()
  if (!isMeant(request, address)) return refuse(403, 'This is not the address that was asked for')
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'GET only')
  if (request.url?.replace(/\?.*/, '') !== PATH) return refuse(404, `Metrics are at ${PATH}`)
  void render().then(
    (text) => {
      response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
      response.end(request.method === 'HEAD' ? undefined : text)
    },
    () => refuse(500, 'The metrics cannot be made'),
  )
}

/** A web page could make a browser ask for a name of its own, which leads here: the name must be one of this machine. */
function isMeant({ headers: { host } }: IncomingMessage, address: MetricsAddress): boolean {
  if ('path' in address || host === undefined) return true
  return /^(?:localhost|\[::1\]|127(?:\.\d{1,3}){3})(?::\d+)?$/.test(host)
}
