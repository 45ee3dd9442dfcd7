import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MAX_ANSWERS, messageOf } from './message.js'
import { words } from '../../names/testing/packets.js'
import { ANSWER_FLAGS, question, wireMessage, wireName, wireRecord } from './testing/messages.js'

function decode(bytes: Buffer, wholeBytes = bytes.length, isMdns = false) {
  return messageOf(bytes, wholeBytes, isMdns)
}

const IP4 = Buffer.from([198, 51, 100, 9])
const IP6 = Buffer.from('20010db8000000000000000000000009', 'hex')

test('a question', () => {
  assert.deepEqual(decode(wireMessage()), {
    id: 0x1234,
    isAnswer: false,
    opcode: 'QUERY',
    rcode: 'NOERROR',
    flags: ['RD'],
    question: { name: 'www.example.org', type: 'A', class: 'IN' },
    questionCount: 1,
    answers: [],
    answerCount: 0,
    clientSubnet: undefined,
    isMalformed: false,
  })
})

test('what records say, of every type that has a form', () => {
  const soa = Buffer.concat([wireName('ns'), wireName('admin.x', 'org'), Buffer.alloc(19), Buffer.from([7])])
  for (const [type, data, name, text] of [
    [1, IP4, 'A', '198.51.100.9'],
    [28, IP6, 'AAAA', '2001:db8::9'],
    [5, wireName('CDN', 'net'), 'CNAME', 'cdn.net'],
    [12, words(0xc00c), 'PTR', 'www.example.org'],
    [2, wireName('ns'), 'NS', 'ns'],
    [39, wireName('other'), 'DNAME', 'other'],
    [15, Buffer.concat([words(10), wireName('mail')]), 'MX', '10 mail'],
    [33, Buffer.concat([words(0, 5, 5060), wireName('sip')]), 'SRV', '0 5 5060 sip'],
    [6, soa, 'SOA', 'ns admin\\.x.org 0 0 0 0 7'],
    [16, Buffer.from('\x03a"b\x01\x07\x00', 'latin1'), 'TXT', '"a\\"b" "\\007" ""'],
    [257, Buffer.from('\x00\x05issueca.org', 'latin1'), 'CAA', '0 issue "ca.org"'],
    [65, Buffer.from([0, 1, 0]), 'HTTPS', '\\# 3 000100'],
    [65_280, Buffer.alloc(0), 'TYPE65280', '\\# 0'],
  ] as const) {
    const found = decode(wireMessage({ flags: ANSWER_FLAGS, answers: [wireRecord(type, data, 300)] }))
    const expected = { name: 'www.example.org', type: name, class: 'IN', ttlS: 300, data: text }
    assert.deepEqual(found?.answers, [expected], name)
    assert.equal(found?.isMalformed, false, name)
  }
})

test('EDNS: the network of the client, more of the code, and a flag', () => {
  const subnet = Buffer.concat([words(8, 7, 1), Buffer.from([24, 0, 192, 0, 2])])
  const options = Buffer.concat([Buffer.from([0]), words(41, 1232, 0x0100, 0x8000, subnet.length), subnet])
  const found = decode(wireMessage({ flags: ANSWER_FLAGS, additionals: [options] }))
  const { clientSubnet, rcode, flags } = found ?? {}
  assert.deepEqual([clientSubnet, rcode, flags], ['192.0.2.0/24', 'RCODE_16', ['RD', 'RA', 'DO']])
  const short = Buffer.concat([Buffer.from([0]), words(41, 1232, 0, 0, 2), words(8)])
  assert.equal(decode(wireMessage({ additionals: [short] }))?.isMalformed, true)
})

test('mDNS has a bit of its own in classes', () => {
  const bytes = wireMessage({ questions: [Buffer.concat([wireName('x', 'local'), words(12, 0x8001)])] })
  assert.equal(decode(bytes, bytes.length, true)?.question?.class, 'IN')
  assert.equal(decode(bytes)?.question?.class, 'CLASS32769')
})

test('of a message that is cut or broken, what comes before is there', () => {
  const answers = [wireRecord(1, IP4), wireRecord(16, Buffer.from('\x0f0123456789abcde', 'latin1'))]
  const whole = wireMessage({ flags: ANSWER_FLAGS, answers })
  for (let length = 0; length < whole.length; length++) {
    const cut = decode(whole.subarray(0, length), whole.length)
    if (length < 12) assert.equal(cut, undefined)
    else assert.deepEqual([cut?.isMalformed, cut?.answerCount], [false, 2], `${length}`)
    if (length >= 29) assert.equal(cut?.question?.name, 'www.example.org')
    const broken = decode(whole.subarray(0, length))
    if (length >= 12) assert.equal(broken?.isMalformed, true, `${length}`)
    assert.equal(cut?.answers.length ?? 0, length >= 49 ? 1 : 0, `${length}`)
  }
})

test('many questions and answers are counted, and some are there', () => {
  const questions = Array.from({ length: 70 }, () => question())
  const asked = decode(wireMessage({ questions }))
  assert.deepEqual(
    [asked?.question?.name, asked?.questionCount, asked?.isMalformed],
    ['www.example.org', 70, false],
  )
  const answers = Array.from({ length: 200 }, () => wireRecord(1, IP4))
  const many = decode(wireMessage({ flags: ANSWER_FLAGS, answers }))
  assert.deepEqual([many?.answers.length, many?.answerCount], [MAX_ANSWERS, 200])
  const lying = wireMessage({ counts: [65_535, 65_535, 65_535, 65_535] })
  assert.deepEqual([decode(lying)?.questionCount, decode(lying)?.isMalformed], [65_535, true])
})

test('whatever the bytes are, nothing is thrown, and texts are printable and bounded', () => {
  const real = wireMessage({
    flags: ANSWER_FLAGS,
    answers: [wireRecord(1, IP4), wireRecord(16, Buffer.from('\x01x'))],
  })
  const mutated = fc
    .array(fc.tuple(fc.nat({ max: real.length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 })
    .map((changes) => {
      const bytes = Buffer.from(real)
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
  const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(mutated, noise), fc.boolean(), (bytes, isMdns) => {
      const found = messageOf(bytes, bytes.length, isMdns)
      if (found === undefined) return
      for (const { name, type, data } of found.answers) {
        assert.match(`${name}${type}${data}`, /^[\x20-\x7e…]*$/)
        assert.ok(data.length <= 1024)
      }
    }),
    { numRuns: 5000 },
  )
})

test('no message takes long, however it is made', () => {
  // Names of pointers to pointers, in as many records as there is room for.
  const chain = Buffer.concat(Array.from({ length: 60 }, (_, at) => words(0xc00c + Math.max(0, at - 1) * 2)))
  const records = Buffer.concat(
    Array.from({ length: 4000 }, () => wireRecord(16, Buffer.alloc(2), 0, words(0xc00c + 118))),
  )
  const bytes = Buffer.concat([wireMessage({ questions: [], counts: [0, 4000, 4000, 4000] }), chain, records])
  const started = process.cpuUsage().user
  for (let i = 0; i < 100; i++) decode(bytes)
  assert.ok(process.cpuUsage(undefined).user - started < 2_000_000)
})
