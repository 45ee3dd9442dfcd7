import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { coreOptions } from '../options/declare.js'
import { isSwitch, type OptionSpec } from '../options/spec.js'
import { kinds } from './index.js'

const SOURCE = new URL('../../src/kinds/', import.meta.url)
const DOCS = new URL('../../../../docs/', import.meta.url)

for (const { name, number, records } of kinds) {
  test(`records of ${name} are numbered as its own`, () => {
    assert.ok(number >= 0 && number <= 0xff)
    for (const { layout } of records) assert.equal(layout.type >>> 8, number, layout.name)
  })
}

for (const { name, options, limits = [] } of kinds) {
  test(`the options of ${name} are declared in its folder, and docs/options.md has them`, () => {
    const names = Object.keys(options)
    assert.equal(existsSync(new URL(`${name}/options.ts`, SOURCE)), names.length > 0)
    const page = readFileSync(new URL('options.md', DOCS), 'utf8')
    const [, section = ''] =
      new RegExp(`^## The kind \`${name}\`\n([^]*?)(\n## |$(?![^]))`, 'm').exec(page) ?? []
    const rows = section.match(/(?<=^\| `)\w+(?=` \|)/gm) ?? []
    assert.deepEqual(rows, names)
    const known = [...names, ...Object.keys(coreOptions)]
    for (const { option } of limits) assert.ok(option === undefined || known.includes(option), option)
  })
}

for (const { name, options, events = [] } of kinds) {
  const isOff = events.length > 0 && events.every(({ madeWith }) => madeWith !== undefined)
  test(`the kind ${name} ${isOff ? 'is off, and says which option switches it on' : 'has nothing to switch on'}`, () => {
    const switches = Object.entries<OptionSpec>(options).flatMap(([option, spec]) =>
      isSwitch(spec) && spec.isKindSwitch === true ? [[option, spec.default]] : [],
    )
    assert.equal(switches.length > 0, isOff)
    for (const [option, byDefault] of switches) {
      assert.equal(byDefault, false)
      assert.ok(
        events.some(({ madeWith }) => madeWith === option),
        `no event is made with ${String(option)}`,
      )
    }
  })
}
