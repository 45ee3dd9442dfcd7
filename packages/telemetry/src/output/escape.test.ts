import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { hostileText } from '../testing/hostile-text.js'
import { escaped, escapesOf } from './escape.js'

const UNSAFE = /["\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu

test('what is escaped is what Unicode says: controls, halves of pairs, separators and marks of direction', () => {
  const mark = (code: number): string => `<${code}>`
  const escapes = escapesOf(mark, '"')
  const expected = (text: string): string => text.replace(UNSAFE, (unsafe) => mark(unsafe.charCodeAt(0)))
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code)
    assert.equal(escaped(character, escapes), expected(character))
  }
  fc.assert(fc.property(hostileText, (text) => assert.equal(escaped(text, escapes), expected(text))))
})
