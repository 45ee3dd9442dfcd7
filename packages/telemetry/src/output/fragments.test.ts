import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bool, digits, document, flag, hex, num, obj, quote, str, strs, time } from './fragments.js'
import { hostileText } from '../testing/hostile-text.js'

test('fragments join to a document and leave out what is unknown', () => {
  const line = document(
    str('none', undefined) +
      str('s', '') +
      strs('list', ['a', 'b']) +
      strs('empty', []) +
      num('n', 0) +
      num('big', 18_446_744_073_709_551_615n) +
      digits('d', 5n) +
      hex('h', 0xabcn) +
      bool('b', false) +
      flag('unset', false) +
      flag('set', true) +
      time('t', 1n) +
      obj('nothing', num('x', undefined)) +
      obj('o', num('x', 1) + num('y', 2)),
  )
  assert.equal(
    line,
    '{"s":"","list":["a","b"],"empty":[],"n":0,"big":18446744073709551615,"d":"5","h":"0x0000000000000abc",' +
      '"b":false,"set":true,"t":"1970-01-01T00:00:00.000000001Z","o":{"x":1,"y":2}}',
  )
  assert.equal(document(''), '{}')
})

test('quote() escapes what harms JSON or terminals', async (t) => {
  const cases = [
    { name: 'plain text', text: 'ls -l é \u{1f600}', expected: '"ls -l é \u{1f600}"' },
    { name: 'quotes and backslashes', text: '"\\', expected: '"\\"\\\\"' },
    { name: 'short escapes', text: '\b\f\n\r\t', expected: '"\\b\\f\\n\\r\\t"' },
    { name: 'other controls', text: '\u0000\u001b\u007f\u009b', expected: '"\\u0000\\u001b\\u007f\\u009b"' },
    { name: 'reading direction', text: '\u202e\u061c\u2028', expected: '"\\u202e\\u061c\\u2028"' },
    { name: 'half a pair', text: '\ud83dx', expected: '"\ufffdx"' },
  ]
  for (const { name, text, expected } of cases) {
    await t.test(name, () => {
      assert.equal(quote(text), expected)
    })
  }
})

test('quote() is read back as the same text, but for halves of surrogate pairs', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      assert.equal(JSON.parse(quote(text)), text.replace(/\p{Cs}/gu, '\ufffd'))
    }),
  )
})
