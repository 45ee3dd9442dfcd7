import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { catalogue } from '../kinds/index.js'
import { declarations } from '../stream.js'
import { ecsParts, fillIn, jsonParts, textParts } from './testing/docs.js'

const DOCS = new URL('../../../../docs/', import.meta.url)
const pages = [
  { name: 'json.md', parts: jsonParts(declarations) },
  { name: 'ecs.md', parts: ecsParts(catalogue) },
  { name: 'text.md', parts: textParts(catalogue) },
]

for (const { name, parts } of pages) {
  test(`docs/${name} is what the declarations say: npm run docs`, () => {
    const page = readFileSync(new URL(name, DOCS), 'utf8')
    assert.equal(page, fillIn(page, parts))
    for (const part of Object.keys(parts)) {
      assert.ok(page.includes(`<!-- made of the declarations: ${part} -->`), part)
    }
  })
}
