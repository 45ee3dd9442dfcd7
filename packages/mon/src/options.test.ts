import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { TABLE } from './options.js'

/** Options by name: letters with one dash, words with two. */
function namesIn(text: string): Set<string> {
  return new Set(text.match(/(?<=`)--?[A-Za-z][a-z-]*/g))
}

test('docs/from-c.md has every option, and says which are refused', () => {
  const page = readFileSync(new URL('../../../docs/from-c.md', import.meta.url), 'utf8')
  const [, table = ''] = /^## quark-mon\n([^]*?)\n## /m.exec(page) ?? []
  const rows = table.split('\n').filter((line) => line.startsWith('| '))
  const refused = rows.filter((row) => row.includes('| refused: '))
  const there = rows.filter((row) => !refused.includes(row))
  assert.deepEqual(
    [...namesIn(refused.join('\n'))].sort(),
    TABLE.missing.map(({ short }) => `-${short}`).sort(),
  )
  assert.deepEqual(
    [...namesIn(there.map((row) => row.split(' | ')[1]).join('\n'))].sort(),
    TABLE.options
      .flatMap(({ long, short }) => (short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`]))
      .sort(),
  )
})
