/** What a client of TLS says first. */

import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'

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
