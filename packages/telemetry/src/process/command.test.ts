import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { argumentsOf, hasOtherBytes } from './command.js'

function wordsOf(...parts: (string | number)[]): readonly string[] | undefined {
  const argvBytes = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))),
  )
  return argumentsOf({ argv: ['as it is'], argvBytes })
}

test('argumentsOf() keeps bytes that are no text', () => {
  assert.deepEqual(wordsOf('a\0', 0xff, 'b\0\0'), ['a', '\udcffb', ''])
  // Too long, half of a pair, beyond the last character, without its end.
  assert.deepEqual(wordsOf(0xc0, 0x80), ['\udcc0\udc80'])
  assert.deepEqual(wordsOf(0xed, 0xa0, 0x80), ['\udced\udca0\udc80'])
  assert.deepEqual(wordsOf(0xf4, 0x90, 0x80, 0x80), ['\udcf4\udc90\udc80\udc80'])
  assert.deepEqual(wordsOf(0xe6, 0xbc, '\0x'), ['\udce6\udcbc', 'x'])
  assert.deepEqual(wordsOf('\ufffd\0'), ['\ufffd'])
})

test('argumentsOf() is argv where all is text, and where it is long or only known as text', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
      const argv = words.map((word) => word.replaceAll('\0', ''))
      const argvBytes = Buffer.from(argv.map((word) => `${word}\0`).join(''))
      assert.deepEqual(argumentsOf({ argv: undefined, argvBytes }), argv)
    }),
  )
  const argv = ['x']
  assert.equal(argumentsOf({ argv, argvBytes: undefined }), argv)
  assert.equal(argumentsOf({ argv, argvBytes: new Uint8Array(20_000) }), argv)
})

test('hasOtherBytes() finds what was replaced, and does not look through long lists', () => {
  assert.equal(hasOtherBytes(['\ufffd', ...new Array<string>(20_000).fill('')]), false)
  assert.deepEqual([hasOtherBytes(['a', 'é']), hasOtherBytes(['a', 'b\ufffd'])], [false, true])
})
