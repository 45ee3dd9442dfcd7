/** A kind that is added to the list without what belongs to it fails the tests of samples, docs, schema and options. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { optionsPage } from '../options/testing/docs.js'
import { schemaOf } from '../output/schema.js'
import { ecsParts, fillIn, jsonParts } from '../output/testing/docs.js'
import type { Declarations } from '../output/specs.js'
import { withEnds } from '../stream.js'
import { allSamples, samplesIn } from '../testing/samples.js'
import { catalogueOf } from './catalogue.js'
import { catalogue, kinds } from './index.js'
import { priorityKind } from './testing/priority/index.js'

const more = catalogueOf([...kinds, priorityKind] as const)
const folderOf = (name: string): string => (name === 'priority' ? 'kinds/testing/priority' : `kinds/${name}`)

function text(path: string): string {
  return readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')
}

test('a kind with events and without samples is found', async () => {
  assert.ok(allSamples.some(({ name }) => name === 'process'))
  await assert.rejects(samplesIn('kinds/testing/priority', 'priority', priorityKind.events ?? []), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
})

test('a kind without rows in the docs is found', () => {
  const pages = [
    { path: 'docs/json.md', partsOf: (known: Declarations) => jsonParts(withEnds(known)) },
    { path: 'docs/ecs.md', partsOf: (known: Declarations) => ecsParts(withEnds(known)) },
  ]
  for (const { path, partsOf } of pages) {
    const page = text(path)
    assert.equal(fillIn(page, partsOf(catalogue)), page)
    assert.notEqual(fillIn(page, partsOf(more)), page)
  }
  const page = text('docs/options.md')
  assert.equal(optionsPage(catalogue.kinds, folderOf), page)
  assert.notEqual(optionsPage(more.kinds, folderOf), page)
  const schema = JSON.parse(text('packages/telemetry/schema.json')) as object
  assert.deepEqual(schemaOf(withEnds(catalogue)), schema)
  assert.notDeepEqual(schemaOf(withEnds(more)), schema)
})
