import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import test from 'node:test'
import { Output, wantsColour } from './io.js'

/** A stream that is full after every write until `proceed` is called. */
class Slow extends Writable {
  text = ''
  proceed: () => void = () => {}

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false })
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk
    this.proceed = done
  }
}

function failing(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => setImmediate(done, Object.assign(new Error(code), { code })),
  })
}

test('Output.write() waits until there is room', async () => {
  const stream = new Slow()
  const output = new Output(stream, () => {})
  let written = false
  const writing = output.write('abc', new AbortController().signal).then(() => (written = true))
  await new Promise(setImmediate)
  assert.equal(written, false)
  stream.proceed()
  await writing
  assert.equal(stream.text, 'abc')
  assert.equal(stream.listenerCount('drain'), 0)
})

test('Output.write() stops waiting when the run ends', async () => {
  const ending = new AbortController()
  const writing = new Output(new Slow(), () => {}).write('abc', ending.signal)
  ending.abort()
  await writing
})

test('Output ends the run when the reader goes away, which is not a failure', async () => {
  let ended = 0
  const output = new Output(failing('EPIPE'), () => (ended += 1))
  const { signal } = new AbortController()
  await output.write('a', signal)
  await new Promise(setImmediate)
  assert.equal(ended, 1)
  await output.write('b', signal)
  await output.flush()
  assert.equal(output.failure, undefined)
})

test('Output keeps any other failure', async () => {
  let ended = 0
  const output = new Output(failing('ENOSPC'), () => (ended += 1))
  await output.write('a'.repeat(100_000), new AbortController().signal)
  await output.flush()
  assert.equal(ended, 1)
  assert.equal(output.failure?.message, 'ENOSPC')
})

test('Output.flush() finds the failure of a short text', async () => {
  const output = new Output(failing('ENOSPC'), () => {})
  await output.write('a', new AbortController().signal)
  await output.flush()
  assert.equal(output.failure?.message, 'ENOSPC')
})

test('Output.flush() finds the failure of a stream that takes time to close', async () => {
  const stream = failing('ENOSPC')
  stream._destroy = (error, done) => void setTimeout(done, 50, error)
  const output = new Output(stream, () => {})
  await output.write('a', new AbortController().signal)
  await output.flush()
  assert.match(String(output.failure), /ENOSPC/)
  await new Promise((resolve) => stream.on('close', resolve))
})

test('wantsColour() follows the option, then NO_COLOR, then the terminal and FORCE_COLOR', () => {
  assert.equal(wantsColour('always', { NO_COLOR: '1' }, false), true)
  assert.equal(wantsColour('never', { FORCE_COLOR: '1' }, true), false)
  assert.equal(wantsColour('auto', {}, true), true)
  assert.equal(wantsColour('auto', {}, false), false)
  assert.equal(wantsColour('auto', { NO_COLOR: '1' }, true), false)
  assert.equal(wantsColour('auto', { NO_COLOR: '' }, true), true)
  assert.equal(wantsColour('auto', { FORCE_COLOR: '1' }, false), true)
  assert.equal(wantsColour('auto', { FORCE_COLOR: '0' }, false), false)
  assert.equal(wantsColour('auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, true), false)
})
