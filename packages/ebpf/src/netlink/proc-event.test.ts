import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MessageGaps } from './message-gaps.js'
import { parseProcMessage, PROC_MESSAGE_BYTES } from './proc-event.js'

interface Parts {
  readonly what: number
  readonly words: readonly number[]
  readonly text?: string
  readonly idx?: number
}

/** A datagram: CPU 3, number 9, at 2^32 + 5 ns. */
function datagram({ what, words, text = '', idx = 1 }: Parts): Uint8Array {
  const bytes = Buffer.alloc(PROC_MESSAGE_BYTES)
  bytes.writeUInt32LE(idx, 16)
  bytes.writeUInt32LE(1, 20)
  bytes.writeUInt32LE(9, 24)
  bytes.writeUInt32LE(what, 36)
  bytes.writeUInt32LE(3, 40)
  bytes.writeBigUInt64LE(2n ** 32n + 5n, 44)
  words.forEach((word, index) => bytes.writeUInt32LE(word, 52 + 4 * index))
  bytes.write(text, 60)
  return bytes
}

test('parseProcMessage() reads each kind of message', async (t) => {
  const base = { cpu: 3, seq: 9, monotonicNs: 2n ** 32n + 5n }
  const cases = [
    {
      name: 'fork: the child and the process of its parent',
      parts: { what: 0x1, words: [11, 10, 21, 20] },
      message: { ...base, kind: 'fork', ppid: 10, pid: 20, tid: 21 },
    },
    {
      name: 'exec',
      parts: { what: 0x2, words: [20, 20] },
      message: { ...base, kind: 'exec', pid: 20, tid: 20 },
    },
    {
      name: 'uid of a thread',
      parts: { what: 0x4, words: [21, 20, 1, 2] },
      message: { ...base, kind: 'uid', pid: 20, tid: 21, realId: 1, effectiveId: 2 },
    },
    {
      name: 'gid',
      parts: { what: 0x40, words: [20, 20, 0xffff_fffe, 2] },
      message: { ...base, kind: 'gid', pid: 20, tid: 20, realId: 0xffff_fffe, effectiveId: 2 },
    },
    {
      name: 'sid',
      parts: { what: 0x80, words: [20, 20] },
      message: { ...base, kind: 'sid', pid: 20, tid: 20 },
    },
    {
      name: 'comm, to its NUL',
      parts: { what: 0x200, words: [20, 20], text: 'name\0rest' },
      message: { ...base, kind: 'comm', pid: 20, tid: 20, comm: Uint8Array.from(Buffer.from('name')) },
    },
    {
      name: 'exit, with its parent',
      parts: { what: 0x8000_0000, words: [20, 20, 0x8b, 17, 11, 10] },
      message: { ...base, kind: 'exit', pid: 20, tid: 20, status: 0x8b, ppid: 10 },
    },
    {
      name: 'ptrace: who attached',
      parts: { what: 0x100, words: [21, 20, 31, 30] },
      message: { ...base, kind: 'ptrace', pid: 20, tid: 21, tracerPid: 30, tracerTid: 31 },
    },
    {
      name: 'what is unknown has a number all the same',
      parts: { what: 0x400, words: [20, 20] },
      message: { ...base, kind: 'other', pid: 20, tid: 20 },
    },
    {
      name: 'an answer has a number too',
      parts: { what: 0, words: [0] },
      message: { ...base, kind: 'other', pid: 0, tid: 0 },
    },
    { name: 'another connector', parts: { what: 0x1, words: [], idx: 2 }, message: undefined },
  ]
  for (const { name, parts, message } of cases) {
    await t.test(name, () => assert.deepEqual(parseProcMessage(datagram(parts)), message))
  }
})

test('parseProcMessage() takes any bytes', () => {
  const prefix = datagram({ what: 0, words: [] })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(90), fc.boolean(), (random, at, isLikely) => {
      const bytes = isLikely ? Uint8Array.from(prefix) : random
      if (isLikely) bytes.set(random.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length))
      const message = parseProcMessage(bytes)
      assert.ok(message === undefined || bytes.length >= PROC_MESSAGE_BYTES)
    }),
  )
})

test('MessageGaps reports every loss once', async (t) => {
  const cases: {
    name: string
    steps: readonly (readonly [number, number] | number)[]
    expected: number[]
  }[] = [
    { name: 'the first number of a CPU is no gap', steps: [[0, 70]], expected: [0] },
    { name: 'a gap', steps: [[0, 1], [0, 5]], expected: [0, 3] }, // oxfmt-ignore
    { name: 'CPUs count apart', steps: [[0, 1], [1, 9], [0, 2], [1, 11]], expected: [0, 0, 0, 1] }, // oxfmt-ignore
    { name: 'numbers wrap', steps: [[0, 0xffff_fffe], [0, 1]], expected: [0, 2] }, // oxfmt-ignore
    { name: 'drops before their gap', steps: [[0, 1], 4, [0, 6], [0, 9]], expected: [0, 4, 0, 2] }, // oxfmt-ignore
    { name: 'drops after their gap', steps: [[0, 1], [0, 4], 2, 3], expected: [0, 2, 0, 1] }, // oxfmt-ignore
  ]
  for (const { name, steps, expected } of cases) {
    await t.test(name, () => {
      const gaps = new MessageGaps()
      const answers = steps.map((step) =>
        typeof step === 'number' ? gaps.upTo(step) : gaps.before(step[0], step[1]),
      )
      assert.deepEqual(answers, expected)
    })
  }
})
