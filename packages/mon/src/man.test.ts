import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { manPage } from './man.js'
import { options } from './options.js'

const FILE = new URL('../man/quark-mon.8', import.meta.url)

test('man/quark-mon.8 is what manPage() writes', () => {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, manPage())
  assert.equal(readFileSync(FILE, 'utf8'), manPage())
})

test('manPage() explains every option', () => {
  const items = new Set(
    manPage()
      .split('\n')
      .filter((line) => line.startsWith('.It '))
      .flatMap((line) => line.match(/\\-[a-z\\-]+/g) ?? [])
      .map((name) => name.replaceAll('\\', '').slice(1)),
  )
  assert.deepEqual(
    options.filter(({ long }) => !items.has(long)).map(({ long }) => long),
    [],
  )
})

test('manPage() has no empty line and no line that mdoc takes for a request by accident', () => {
  for (const line of manPage().trimEnd().split('\n')) {
    assert.notEqual(line, '')
    assert.doesNotMatch(line, /^'|^\.[^A-Z]| $/)
  }
})
