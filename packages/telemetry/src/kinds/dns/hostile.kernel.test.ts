import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMIT, SLOW } from '../../names/testing/limit.js'
import { words } from '../../names/testing/packets.js'
import { question, wireMessage, wireName, wireRecord } from './testing/messages.js'
import { runCommand, watch } from './testing/watch.js'

const ADDRESS = '127.5.3.14'

/** Something that a program sends, to a server that never answers. */
interface Sent {
  readonly transport: 'udp' | 'tcp'
  readonly bytes: Buffer
  /** Of each segment of TCP. */
  readonly segmentBytes?: number
}

/** Sends messages one after the other; the pid of the program. */
async function send(list: readonly Sent[]): Promise<number> {
  const code = `const list = JSON.parse(require('fs').readFileSync(0, 'latin1'))
    const { connect, createServer } = require('net'), { once } = require('events')
    ;(async () => {
      const sink = require('dgram').createSocket('udp4'); sink.bind(53, '${ADDRESS}'); await once(sink, 'listening')
      const server = createServer((socket) => socket.on('error', () => {}).on('end', () => socket.end()).resume())
      server.listen(53, '${ADDRESS}'); await once(server, 'listening')
      for (const { transport, hex, segmentBytes } of list) {
        const bytes = Buffer.from(hex, 'hex')
        if (transport === 'udp') {
          const socket = require('dgram').createSocket('udp4')
          socket.send(bytes, 53, '${ADDRESS}'); await once(sink, 'message'); socket.close()
          continue
        }
        const socket = connect(53, '${ADDRESS}').setNoDelay(true); await once(socket, 'connect')
        for (let at = 0; at < bytes.length; at += segmentBytes)
          await new Promise((done) => socket.write(bytes.subarray(at, at + segmentBytes), done))
        socket.end(); await once(socket.resume(), 'close')
      }
      console.log(process.pid); process.exit()
    })()`
  const plain = list.map(({ transport, bytes, segmentBytes = bytes.length }) => {
    return { transport, hex: bytes.toString('hex'), segmentBytes }
  })
  const { text, status } = await runCommand(process.execPath, ['-e', code], JSON.stringify(plain))
  assert.equal(status, 0)
  return Number(text)
}

function framed(...messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [words(message.length), message]))
}

const udp = (bytes: Buffer): Sent => ({ transport: 'udp', bytes })
const broken = (id: number, ...parts: readonly Buffer[]): Sent =>
  udp(wireMessage({ id, questions: parts, counts: [1, 0, 0, 0] }))
const LONGEST = wireName('\x00'.repeat(63), '.'.repeat(63), '\\'.repeat(63), '\xff'.repeat(61))
const LONGEST_TEXT = ['\\000'.repeat(63), '\\.'.repeat(63), '\\\\'.repeat(63), '\\255'.repeat(61)].join('.')
const TOO_LONG = wireName('a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(62))

test(
  'messages that are broken, lie, or are as long as can be: right or said to be broken, and the next one is seen',
  LIMIT,
  async () => {
    assert.deepEqual([LONGEST.length, TOO_LONG.length], [255, 256])
    const list: readonly Sent[] = [
      // The name leads to itself, two lead to each other, and one leads behind itself.
      broken(1, words(0xc00c), words(1, 1)),
      broken(2, words(0xc00e, 0xc00c), words(1, 1)),
      broken(3, words(0xc020, 1, 1), Buffer.alloc(30)),
      // Cut in a label, and behind the name.
      broken(4, Buffer.from('\x09exam')),
      broken(5, wireName('cut', 'test')),
      udp(wireMessage({ id: 6, counts: [65_535, 65_535, 65_535, 65_535] })),
      udp(
        wireMessage({
          id: 7,
          questions: Array.from({ length: 70 }, (_, at) => question(wireName(`q${at}`))),
        }),
      ),
      udp(wireMessage({ id: 8, questions: [question(LONGEST)] })),
      broken(9, TOO_LONG, words(1, 1)),
      // Less than a header is none.
      udp(Buffer.alloc(11, 1)),
      udp(wireMessage({ id: 11, questions: [question(wireName('good', 'test'))] })),
    ]
    let pid = 0
    const { dns, quark } = await watch(async () => {
      pid = await send(list)
    })
    const own = dns.filter(({ serverIp }) => serverIp === ADDRESS)
    assert.deepEqual(
      own.map((event) => {
        assert.deepEqual([event.pid, event.process?.pid, event.actions], [pid, pid, ['query']])
        return [event.dnsId, event.name, event.questionCount, event.isMalformed]
      }),
      [
        [1, undefined, 1, true],
        [2, undefined, 1, true],
        [3, undefined, 1, true],
        [4, undefined, 1, true],
        [5, 'cut.test', 1, true],
        [6, 'www.example.org', 65_535, true],
        [7, 'q0', 70, false],
        [8, LONGEST_TEXT, 1, false],
        [9, undefined, 1, true],
        [11, 'good.test', 1, false],
      ],
    )
    assert.equal(quark.stats().lost, 0)
  },
)

test(
  '64 KiB over TCP in segments of one byte, and lengths that are none: one event each, and bounded',
  LIMIT,
  async () => {
    const wanted = Math.floor(65_535 / SLOW)
    const record = wireRecord(16, Buffer.from('\x13xxxxxxxxxxxxxxxxxxx'))
    const answers = Array.from({ length: Math.floor((wanted - 33) / record.length) }, () => record)
    const big = wireMessage({ id: 21, answers })
    const next = wireMessage({ id: 22, questions: [question(wireName('next', 'test'))] })
    let pid = 0
    const { dns, quark } = await watch(
      async () => {
        pid = await send([
          { transport: 'tcp', bytes: framed(big, next), segmentBytes: 1 },
          // A message cannot be that short; what follows in a packet of its own is found.
          {
            transport: 'tcp',
            bytes: Buffer.concat([words(5), Buffer.alloc(next.length), framed(next)]),
            segmentBytes: next.length + 2,
          },
        ])
      },
      { ringSizeBytes: 2 ** 25 },
    )
    const own = dns.filter(({ serverIp }) => serverIp === ADDRESS)
    assert.equal(quark.stats().lost, 0)
    assert.deepEqual(
      own.map((event) => [
        event.pid,
        event.dnsId,
        event.name,
        event.queryBytes,
        event.isCut,
        event.isMalformed,
      ]),
      [
        [pid, 21, 'www.example.org', big.length, big.length > 4096, false],
        ...Array.from({ length: own.length - 1 }, () => [pid, 22, 'next.test', next.length, false, false]),
      ],
    )
    // Where the kernel joins segments, the end of the big one and what follows may be more than is kept of a packet.
    assert.ok(own.length > 1 && own.length <= 3, `${own.length}`)
    // Where the network namespace of who receives is not known, both ends of a connection lose their place, each by itself.
    const lost = Number(quark.stats().tables['dns']?.['lostStreams'])
    const places = 4 - own.length
    assert.ok(lost >= places && lost <= 2 * places, `${own.length} and ${lost} lost`)
  },
)
