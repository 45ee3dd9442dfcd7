import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { btfOptions } from './btf/options.js'
import { doctorOptions } from './commands/doctor.js'
import { btfManPage, manPage } from './man.js'
import { TABLE } from './options.js'

const PAGES = [
  { file: 'quark-mon.8', page: manPage, options: [...TABLE.options, ...doctorOptions.options] },
  { file: 'quark-btf.8', page: btfManPage, options: btfOptions.options },
]

for (const { file, page, options } of PAGES) {
  test(`man/${file} is what its function writes`, () => {
    const path = new URL(`../man/${file}`, import.meta.url)
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, page())
    assert.equal(readFileSync(path, 'utf8'), page())
  })

  test(`man/${file} explains every option`, () => {
    const items = new Set(
      page()
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

  test(`man/${file} has no empty line and no line that mdoc takes for a request by accident`, () => {
    for (const line of page().trimEnd().split('\n')) {
      assert.notEqual(line, '')
      assert.doesNotMatch(line, /^'|^\.[^A-Z]| $/)
    }
  })
}
