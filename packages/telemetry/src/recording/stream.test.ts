import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { RecordingError } from '../errors.js'
import { Quark } from '../quark.js'

const PATH = new URL('../../src/recording/testdata/0.1.0.quarkrec', import.meta.url)
const BYTES = readFileSync(PATH)

async function* pieces(size: number, bytes: Uint8Array = BYTES): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function events(recording: string | AsyncIterable<Uint8Array>): Promise<unknown[]> {
  await using quark = await Quark.replay(recording)
  const found: unknown[] = []
  for await (const { kind, timeNs, process } of quark) found.push([kind, timeNs, process?.pid, process?.argv])
  return found
}

test('a recording that comes in pieces of any size gives the events of the file', async () => {
  const expected = await events(PATH.pathname)
  assert.ok(expected.length > 10)
  for (const size of [7, 1000, 65_536, BYTES.length]) {
    assert.deepEqual(await events(pieces(size)), expected, `${size}`)
  }
})

test('one that ends too early, fails, or is none, is an error', async () => {
  await assert.rejects(events(pieces(1000, BYTES.subarray(0, BYTES.length - 100))), RecordingError)
  await assert.rejects(events(pieces(1000, BYTES.subarray(0, 20))), RecordingError)
  await assert.rejects(events(pieces(1000, Buffer.from('no recording at all'))), RecordingError)
  await assert.rejects(events(pieces(1000, Buffer.alloc(0))), RecordingError)
  const failing = (async function* () {
    yield BYTES.subarray(0, BYTES.length >> 1)
    throw new Error('the line broke')
  })()
  await assert.rejects(events(failing), /the line broke/)
})

test('while nothing comes it waits, and the end of the wait is the caller’s', async () => {
  const ending = new AbortController()
  async function* stopping(): AsyncGenerator<Uint8Array> {
    yield BYTES.subarray(0, BYTES.length - 8)
    // Never more.
    await new Promise(() => {})
  }
  const quark = await Quark.replay(stopping(), { signal: ending.signal })
  let count = 0
  let isOver = false
  const taking = (async () => {
    for await (const batch of quark.batches()) count += batch.length
    isOver = true
  })()
  await Promise.race([taking, new Promise((resolve) => setTimeout(resolve, 100))])
  assert.equal(isOver, false)
  ending.abort()
  await taking
  assert.ok(count > 10)
  await quark.close()
})
