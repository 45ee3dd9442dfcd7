import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Cast, type Write } from './cast.js'
import { shownInput, shownOutput } from './shown.js'

/** As a shell finds its terminal: ICRNL, OPOST and ONLCR, ISIG, ICANON, ECHO, ECHOE and ECHOCTL. */
const MODES = { inputFlags: 0o400, outputFlags: 0o5, localFlags: 0o1033 }

const WRITE: Write = {
  ...MODES,
  timeNs: 1_767_323_045_000_000_000n,
  origin: 'output',
  columns: 100,
  rows: 30,
  text: 'hello\n',
  data: undefined,
  missingBytes: 0,
}

function linesOf(...writes: readonly Write[]): unknown[] {
  const cast = new Cast('pts/3 bash')
  const text = writes.map((write) => cast.add(write)).join('')
  assert.ok(text.endsWith('\n'))
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

test('a cast has a header, and every write with its time', () => {
  const later = { ...WRITE, timeNs: WRITE.timeNs + 1_500_000_700n, text: '\u001b[1mx' }
  assert.deepEqual(linesOf(WRITE, later), [
    { version: 2, width: 100, height: 30, timestamp: 1_767_323_045, title: 'pts/3 bash' },
    [0, 'o', 'hello\r\n'],
    [1.5, 'o', '\u001b[1mx'],
  ])
})

test('another size of the window, and what is missing, are events', () => {
  const later = { ...WRITE, timeNs: WRITE.timeNs + 2_000_000n, columns: 80, missingBytes: 7 }
  assert.deepEqual(linesOf(WRITE, later).slice(2), [
    [0.002, 'r', '80x30'],
    [0.002, 'o', 'hello\r\n'],
    [0.002, 'm', '7 bytes are missing'],
  ])
})

test('a character that two writes have is whole, and times do not fall', () => {
  const [first, second] = [0xc3, 0xb6].map((byte) => Uint8Array.of(byte))
  const lines = linesOf(
    { ...WRITE, text: '\ufffd', data: first },
    { ...WRITE, text: '\ufffd', data: second, timeNs: WRITE.timeNs - 5n },
  )
  assert.deepEqual(lines.slice(1), [[0, 'o', 'ö']])
})

test('what acts on a terminal is escaped in the lines, and every line is JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const cast = new Cast(text)
      const lines = cast.add({ ...WRITE, text, outputFlags: 0 })
      // oxlint-disable-next-line no-control-regex
      assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(lines))
      const [header, event] = lines.trimEnd().split('\n')
      assert.equal((JSON.parse(header ?? '') as { title: string }).title, text)
      const shown = Buffer.from(text).toString()
      if (shown !== '') assert.equal((JSON.parse(event ?? '') as unknown[])[2], shown)
    }),
  )
})

test('what is typed is shown as the terminal echoes it', () => {
  const rows: [typed: string, shown: string, modes?: Partial<typeof MODES>][] = [
    ['ls\r', 'ls\r\n'],
    ['\u0003', '^C'],
    ['\u001b[A', '^[[A'],
    ['a\u007f', 'a\b \b'],
    ['\u0004', ''],
    ['secret', '', { localFlags: 0o1023 }],
    ['\r', '\r', { inputFlags: 0, localFlags: 0o33 }],
  ]
  for (const [typed, shown, modes] of rows) {
    const bytes = shownInput(Buffer.from(typed), { ...MODES, ...modes })
    assert.equal(Buffer.from(bytes).toString(), shown, JSON.stringify(typed))
  }
})

test('a line end moves to the begin of the line where the terminal is told so', () => {
  assert.equal(Buffer.from(shownOutput(Buffer.from('a\nb'), MODES)).toString(), 'a\r\nb')
  assert.equal(Buffer.from(shownOutput(Buffer.from('a\nb'), { ...MODES, outputFlags: 1 })).toString(), 'a\nb')
})
