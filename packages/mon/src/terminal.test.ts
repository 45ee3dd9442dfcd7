import assert from 'node:assert/strict'
import test from 'node:test'
import { terminalOf } from './terminal.js'

test('terminalOf() is about terminals only', () => {
  assert.equal(terminalOf({ isTTY: false, columns: 80 }, {}), undefined)
  assert.equal(terminalOf({}, { COLUMNS: '80' }), undefined)
})

test('the width is that of the moment, and of COLUMNS if the terminal does not say it', () => {
  const stream = { isTTY: true, columns: 80 }
  const terminal = terminalOf(stream, { COLUMNS: '100' })
  assert.equal(terminal?.columns(), 80)
  stream.columns = 20
  assert.equal(terminal?.columns(), 20)
  stream.columns = 0
  assert.equal(terminal?.columns(), 100)
  for (const columns of ['', '0', '-1', 'x', '1e5', '999999']) {
    assert.equal(terminalOf({ isTTY: true }, { COLUMNS: columns })?.columns(), undefined)
  }
})

const LOCALES: readonly (readonly [environment: Record<string, string>, isAscii: boolean])[] = [
  [{}, true],
  [{ LANG: 'C' }, true],
  [{ LANG: 'en_US.UTF-8' }, false],
  [{ LANG: 'de_DE.utf8' }, false],
  [{ LANG: 'de_DE.ISO-8859-1' }, true],
  [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, true],
  [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, false],
  [{ LANG: 'C', LC_ALL: '', LC_CTYPE: '' }, true],
]

for (const [environment, isAscii] of LOCALES) {
  test(`a locale of ${JSON.stringify(environment)} has ${isAscii ? 'ASCII' : 'all characters'}`, () => {
    assert.equal(terminalOf({ isTTY: true }, environment)?.isAscii, isAscii)
  })
}
