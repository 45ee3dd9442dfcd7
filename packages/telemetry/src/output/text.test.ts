import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { anyEvent } from './testing/arbitraries.js'
import { matchGolden } from './testing/golden.js'
import { EVENTS, KILLED_SHELL, processOf, TIME_NS } from './testing/processes.js'
import { textOf } from './text.js'

test('textOf() writes every kind of event', () => {
  matchGolden('events.txt', EVENTS.map((event) => textOf(event) + '\n').join(''))
})

test('textOf() leaves out what is unknown', () => {
  assert.equal(textOf({ kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3 }) }), '->3')
  assert.equal(
    textOf({ kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3, egid: 5, sid: 0 }) }),
    '->3\n  PROC\tegid=5 sid=0',
  )
})

test('textOf() adds colours and nothing else', () => {
  for (const event of EVENTS) {
    const coloured = textOf(event, { colour: true })
    assert.notEqual(coloured, textOf(event))
    // oxlint-disable-next-line no-control-regex -- colours are control sequences
    assert.equal(coloured.replace(/\u001b\[[\d;]+m/g, ''), textOf(event))
  }
})

test('textOf() measures an environment of unknown size', () => {
  const process = { ...KILLED_SHELL, envSizeBytes: undefined, env: ['A=é', 'B='] }
  assert.match(textOf({ kind: 'snapshot', timeNs: TIME_NS, process }), /\n {2}ENV\tenv_len=8\n/)
})

test('textOf() lets no string begin a line of its own', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const [heading, ...lines] = textOf(event).split('\n')
      assert.match(heading ?? '', /^->\d+( \([A-Z_+]+\))?$/)
      for (const line of lines) assert.match(line, /^ {2}[A-Z]{3,4}\t[^\p{Cc}\p{Bidi_Control}]+$/u)
    }),
  )
})
