/**
 * A server of names for tests, over UDP and TCP: `node server.js ADDRESS PORT`. It answers what the first label of a name
 * asks for, and prints a line for each question: `udp 127.0.0.1 41234 www.test 1`.
 */

import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { argv } from 'node:process'
import { wireMessage, wireRecord } from './messages.js'

const [, , address = '', port = ''] = argv
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

const datagrams = createSocket('udp4')
datagrams.on('message', (message, from) => {
  const answer = answerTo(message, 'udp', `${from.address} ${from.port}`)
  if (answer !== undefined) datagrams.send(answer, from.port, from.address)
})

const streams = createServer((socket) => {
  let bytes = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (more: Buffer) => {
    bytes = Buffer.concat([bytes, more])
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0)
      const answer = answerTo(bytes.subarray(2, end), 'tcp', `${socket.remoteAddress} ${socket.remotePort}`)
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

datagrams.bind(Number(port), address, () => {
  streams.listen(Number(port), address, () => process.stdout.write('ready\n'))
})
