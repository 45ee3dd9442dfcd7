/** What a client of TLS says first. */

import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'
import { words } from '../../../names/testing/packets.js'

/** The first bytes that node's client sends. */
export async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const parts: Buffer[] = []
  const socket = new Duplex({
    read() {},
    write(part: Buffer, _encoding, done) {
      parts.push(part)
      this.emit('sent')
      done()
    },
  })
  const sent = once(socket, 'sent')
  const client = connect({ socket, ...options })
  client.on('error', () => {})
  await sent
  client.destroy()
  return Buffer.concat(parts)
}

/** The type of extensions that clients send to see whether servers mind: RFC 8701. */
export const GREASE = 0x0a0a

/** A list behind its length. */
export function listed(lengthBytes: 1 | 2, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([lengthBytes === 1 ? Buffer.from([length]) : words(length), ...parts])
}

/** A message with some extensions, as they are, in one record. */
export function helloWith(extensions: readonly (readonly [type: number, data: Buffer])[]): Buffer {
  const list = extensions.flatMap(([type, data]) => [words(type), listed(2, data)])
  const body = Buffer.concat([
    words(0x0303),
    Buffer.alloc(32, 7),
    listed(1, Buffer.alloc(32, 8)),
    listed(2, words(GREASE, 0x1301)),
    listed(1, Buffer.from([0])),
    listed(2, ...list),
  ])
  const message = Buffer.concat([Buffer.from([1, 0]), words(body.length), body])
  return Buffer.concat([Buffer.from([22, 3, 1]), listed(2, message)])
}

/** The extension with the name of a server. */
export function serverName(name: string): readonly [number, Buffer] {
  return [0, listed(2, Buffer.from([0]), listed(2, Buffer.from(name)))]
}
