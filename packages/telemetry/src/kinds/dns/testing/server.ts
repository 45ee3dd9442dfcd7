/**
 * A server of names for tests, over UDP and TCP: `node server.js ADDRESS PORT`, or over UDP alone what a group is asked:
 * `node server.js ADDRESS PORT GROUP`. More of them may follow, with `+` between. It answers what the first label of a name asks for, and prints a line for each question: `udp 127.0.0.1 41234 www.test 1`.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { argv } from 'node:process'
import { wireMessage, wireRecord } from './messages.js'

const TRUNCATED = 0x0200

/** An answer to a message, or nothing. */
function answerTo(message: Buffer, transport: 'udp' | 'tcp', from: string): Buffer | undefined {
  let at = 12
  const labels: string[] = []
  for (let length = message[at] ?? 0; length !== 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const type = message.readUInt16BE(at + 1)
  process.stdout.write(`${transport} ${from} ${labels.join('.').toLowerCase()} ${type}\n`)
  const [first = ''] = labels
  if (first === 'silent') return undefined
  const isCut = first === 'long' && transport === 'udp'
  const count = type !== 1 || isCut ? 0 : first === 'long' ? 2000 : 1
  return wireMessage({
    id: message.readUInt16BE(0),
    flags: 0x8180 | (first === 'none' ? 3 : 0) | (isCut ? TRUNCATED : 0),
    questions: [message.subarray(12, at + 5)],
    answers: Array.from({ length: first === 'none' ? 0 : count }, (_, i) =>
      wireRecord(1, Buffer.from([127, 5, i >> 8, 9 + (i & 127)])),
    ),
  })
}

async function serveDatagrams(address: string, port: number, group: string | undefined): Promise<void> {
  const datagrams = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    reuseAddr: group !== undefined,
  })
  datagrams.on('message', (message, from) => {
    const answer = answerTo(message, 'udp', `${from.address} ${from.port}`)
    if (answer !== undefined) datagrams.send(answer, from.port, from.address)
  })
  datagrams.bind(port, group === undefined ? address : '0.0.0.0')
  await once(datagrams, 'listening')
  if (group !== undefined) datagrams.addMembership(group, address)
}

async function serveStreams(address: string, port: number): Promise<void> {
  const streams = createServer((socket) => {
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (more: Buffer) => {
      bytes = Buffer.concat([bytes, more])
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0)
        const from = `${socket.remoteAddress} ${socket.remotePort}`
        const answer = answerTo(bytes.subarray(2, end), 'tcp', from)
        bytes = bytes.subarray(end)
        if (answer === undefined) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        // In two segments.
        socket.write(length)
        socket.write(answer)
      }
    })
  })
  streams.listen(port, address)
  await once(streams, 'listening')
}

for (const wish of argv.slice(2).join(' ').split(' + ')) {
  const [address = '', port = '', group] = wish.split(' ')
  await serveDatagrams(address, Number(port), group)
  if (group === undefined) await serveStreams(address, Number(port))
}
process.stdout.write('ready\n')
