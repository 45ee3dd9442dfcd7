/**
 * A program that asks servers of names, and begins to speak TLS, in ways that are given as JSON: `node asker.js '[{…}, …]'`. It
 * prints what it is and what it got as JSON.
 */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { argv } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { QUERY_FLAGS, question, wireMessage, wireName } from './messages.js'
import { words } from '../../../names/testing/packets.js'

/** What is to be done. */
export interface Wish {
  readonly address: string
  readonly port: number
  /** Of the DNS, or of the server that TLS is to be spoken with. */
  readonly name: string
  readonly transport: 'udp' | 'tcp' | 'tls'
  /** UDP: the socket is not connected. */
  readonly isLoose?: boolean
  /** TCP and TLS: so many bytes are sent first, with a pause behind them; 1 for all bytes one by one. */
  readonly firstBytes?: number
  readonly hasSubnet?: boolean
  /** Of this machine, from where a group is asked. */
  readonly from?: string
  /** Without an answer it ends then. */
  readonly waitMs?: number
  /** Connects to the address of the answer afterwards. */
  readonly thenPort?: number
}

/** What the program is. */
export interface Asked {
  readonly pid: number
}

const WAIT_MS = 60_000
const PAUSE_MS = 30

/** The option of EDNS for 192.0.2.0/24. */
const SUBNET = Buffer.concat([
  Buffer.from([0]),
  words(41, 4096, 0, 0, 11, 8, 7, 1),
  Buffer.from([24, 0, 192, 0, 2]),
])

let nextId = process.pid

function messageFor({ name, hasSubnet = false }: Wish): Buffer {
  const questions = [question(wireName(...name.split('.')))]
  nextId = (nextId + 1) & 0xffff
  const id = nextId
  return wireMessage({ id, flags: QUERY_FLAGS, questions, additionals: hasSubnet ? [SUBNET] : [] })
}

/** The address at the end of an answer. */
function addressIn(answer: Buffer | undefined): string | undefined {
  return answer && answer.readUInt16BE(6) > 0 ? [...answer.subarray(-4)].join('.') : undefined
}

async function askByUdp(wish: Wish): Promise<string | undefined> {
  const { address, port, isLoose = false, from, waitMs = WAIT_MS } = wish
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const answer = Promise.race([once(socket, 'message'), sleep(waitMs, [undefined], { ref: false })])
  socket.bind(0, from)
  await once(socket, 'listening')
  if (from !== undefined) socket.setMulticastInterface(from)
  if (isLoose || from !== undefined) socket.send(messageFor(wish), port, address)
  else {
    socket.connect(port, address)
    await once(socket, 'connect')
    socket.send(messageFor(wish))
  }
  const [bytes] = (await Promise.race([answer, sleep(waitMs, [undefined])])) as [Buffer | undefined]
  socket.close()
  return addressIn(bytes)
}

async function sendSlowly(socket: Socket, bytes: Buffer, firstBytes = bytes.length): Promise<void> {
  socket.setNoDelay(true)
  const size = firstBytes === 1 ? 1 : bytes.length
  socket.write(bytes.subarray(0, firstBytes))
  for (let at = firstBytes; at < bytes.length; at += size) {
    await sleep(firstBytes === 1 ? 1 : PAUSE_MS)
    socket.write(bytes.subarray(at, at + size))
  }
}

async function askByTcp(wish: Wish): Promise<string | undefined> {
  const socket = connect(wish.port, wish.address)
  await once(socket, 'connect')
  const message = messageFor(wish)
  await sendSlowly(socket, Buffer.concat([words(message.length), message]), wish.firstBytes)
  let bytes = Buffer.alloc(0)
  for await (const more of socket) {
    bytes = Buffer.concat([bytes, more as Buffer])
    if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) break
  }
  socket.destroy()
  return addressIn(bytes.subarray(2))
}

/** Says what a client of TLS says first; the server only reads. */
async function greet({ address, port, name, firstBytes }: Wish): Promise<undefined> {
  const socket = connect(port, address)
  await once(socket, 'connect')
  const parts: Buffer[] = []
  const { Duplex } = await import('node:stream')
  const stand = new Duplex({
    read() {},
    write(part: Buffer, _encoding, done) {
      parts.push(part)
      this.emit('sent')
      done()
    },
  })
  const sent = once(stand, 'sent')
  connectTls({ socket: stand, servername: name }).on('error', () => {})
  await sent
  await sendSlowly(socket, Buffer.concat(parts), firstBytes)
  socket.end().resume()
  await once(socket, 'close')
}

async function run(wish: Wish): Promise<void> {
  const ask = { udp: askByUdp, tcp: askByTcp, tls: greet }[wish.transport]
  const address = await ask(wish)
  if (wish.thenPort === undefined || address === undefined) return
  await once(connect(wish.thenPort, address).resume(), 'close')
}

for (const wish of JSON.parse(argv[2] as string) as Wish[]) await run(wish)
const asked: Asked = { pid: process.pid }
console.log(JSON.stringify(asked))
process.exit()
