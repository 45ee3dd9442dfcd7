import assert from 'node:assert/strict'
import test from 'node:test'
import { helpText } from './help.js'
import { TABLE } from './options.js'

const { options } = TABLE

test('helpText() names every option', () => {
  const text = helpText(80)
  for (const { long, short } of options) {
    assert.ok(text.includes(short === undefined ? ` --${long}` : `-${short}, --${long}`), long)
  }
  assert.match(text, /^ {2}-l, --max-length=N +hold at most this many records \(default: 10000\)$/m)
  assert.match(text, /^ {6}--env\[=BYTES\]/m)
})

test('helpText() fits the terminal', () => {
  for (const columns of [60, 72, 80, 100]) {
    const longest = Math.max(
      ...helpText(columns)
        .split('\n')
        .map((line) => line.length),
    )
    assert.ok(longest <= columns, `${longest} > ${columns}`)
  }
  assert.equal(helpText(10), helpText(60))
  assert.equal(helpText(500), helpText(100))
})
