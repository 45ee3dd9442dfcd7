import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sanitise } from './sanitise.js'
import { hostileText } from '../testing/hostile-text.js'

test('sanitise() makes visible what a terminal would act on', async (t) => {
  const cases = [
    {
      name: 'plain text',
      text: 'bash -c "ls" é 漢 \u{1f600} \ufffd',
      expected: 'bash -c "ls" é 漢 \u{1f600} \ufffd',
    },
    { name: 'line ends, tab, backspace', text: 'a\nb\rc\td\be', expected: 'a\\nb\\rc\\td\\be' },
    { name: 'escape sequences', text: '\u001b[31m\u0000\u007f', expected: '\\x1b[31m\\x00\\x7f' },
    { name: 'C1 controls', text: '\u009b31m\u0085', expected: '\\x9b31m\\x85' },
    { name: 'reading direction', text: '\u202ex\u2069\u061c', expected: '\\u{202e}x\\u{2069}\\u{61c}' },
    { name: 'line separators', text: '\u2028\u2029', expected: '\\u{2028}\\u{2029}' },
    { name: 'half a pair', text: '\ud83d!\ude00', expected: '\\u{d83d}!\\u{de00}' },
    { name: 'a backslash', text: '\\n', expected: '\\\\n' },
  ]
  for (const { name, text, expected } of cases) {
    await t.test(name, () => {
      assert.equal(sanitise(text), expected)
    })
  }
})

test('sanitise() leaves nothing in any text that ends a line or controls a terminal', () => {
  const harmful =
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/
  fc.assert(
    fc.property(hostileText, (text) => {
      const safe = sanitise(text)
      assert.doesNotMatch(safe, harmful)
      assert.equal(Buffer.from(safe).toString(), safe)
    }),
  )
})

test('sanitise() keeps different texts different', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      assert.equal(restore(sanitise(text)), text)
    }),
  )
})

/** Undoes sanitise(). */
function restore(safe: string): string {
  const short: Readonly<Record<string, string>> = { '\\': '\\', n: '\n', r: '\r', t: '\t', b: '\b' }
  return safe.replace(
    /\\(?:x([\da-f]{2})|u\{([\da-f]+)\}|(.))/g,
    (_, byte?: string, code?: string, letter?: string) =>
      letter === undefined
        ? String.fromCharCode(Number.parseInt(byte ?? code ?? '', 16))
        : (short[letter] ?? '?'),
  )
}
