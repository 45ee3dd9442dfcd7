import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { catalogue, kinds } from '../kinds/index.js'
import { defaultText, optionsPage, valuesText } from './testing/docs.js'

const DOCS = new URL('../../../../docs/', import.meta.url)

test('docs/options.md is what the declarations say', () => {
  const path = new URL('options.md', DOCS)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, optionsPage(kinds))
  assert.equal(readFileSync(path, 'utf8'), optionsPage(kinds))
})

test('docs/from-c.md has the ranges and defaults of the declarations', () => {
  const specs: Readonly<Record<string, (typeof catalogue.options)[keyof typeof catalogue.options]>> =
    catalogue.options
  const page = readFileSync(new URL('from-c.md', DOCS), 'utf8')
  const [, table = ''] = /^## Attributes\n([^]*?)\n## /m.exec(page) ?? []
  const found: string[] = []
  for (const row of table.split('\n')) {
    const [, , , here = '', byDefault = ''] = row.split('|').map((cell) => cell.trim())
    const [, name = ''] = /^`(\w+)`(?!, `)/.exec(here) ?? []
    const spec = specs[name]
    if (spec === undefined || !('min' in spec)) continue
    found.push(name)
    for (const part of valuesText(spec).split(', a ')) assert.ok(here.includes(part), row)
    assert.ok(byDefault.startsWith(defaultText(spec)), row)
  }
  assert.ok(found.length >= 8)
  for (const name of Object.keys(specs)) {
    assert.ok(page.includes(`\`${name}`), `"${name}" is missing in docs/from-c.md`)
  }
})
