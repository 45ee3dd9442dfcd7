import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Fact } from '../facts/fact.js'
import { checkOptions } from '../options/check.js'
import { type RungSamples, rungRows, rungTable, scanRows } from '../testing/rung-fields.js'
import { catalogue, kinds } from './index.js'
import type { Kind } from './kind.js'

interface SamplesFile {
  readonly rungSamples: RungSamples
}

/** The facts of a kind, with all of its switches off, and on. */
function factsOf({ facts, options }: Kind): Fact[] {
  const flags = Object.entries(options).flatMap(([name, { type }]) =>
    type === 'flag' || type === 'places' ? [name] : [],
  )
  return [false, true].flatMap((value) => {
    const switches = Object.fromEntries(flags.map((name) => [name, value]))
    return facts({ settings: checkOptions(catalogue.options, switches), hierarchy: undefined })
  })
}

for (const kind of kinds as readonly Kind[]) {
  const { name, records } = kind
  const { rungSamples } = (await import(`./${name}/testing/rung-samples.js`)) as SamplesFile
  const rows = [...rungRows(factsOf(kind), rungSamples), ...scanRows(rungSamples)]

  test(`every record of ${name} is filled by some rung, and by none as another one`, () => {
    const filled = new Set(rows.map(({ layout }) => layout))
    const known = new Set(records.map(({ layout }) => layout))
    assert.deepEqual(
      records.filter(({ layout }) => !filled.has(layout)).map((record) => record.name),
      [],
    )
    for (const { fact, rung, layout } of rows) assert.ok(known.has(layout), `${rung} of ${fact}`)
  })

  test(`what rungs of ${name} cannot fill is as the table says`, () => {
    const path = new URL(`../../src/kinds/${name}/testdata/rung-fields.txt`, import.meta.url)
    const table = rungTable(rows)
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, `${table}\n`)
    assert.deepEqual(table.split('\n'), readFileSync(path, 'utf8').trimEnd().split('\n'))
  })
}
