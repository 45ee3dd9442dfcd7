import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fact } from '../facts/fact.js'
import { layoutsOf } from '../facts/rungs.js'
import { checkOptions } from '../options/check.js'
import { isSwitch } from '../options/spec.js'
import { catalogue } from './index.js'
import { mapsOf, type ProbeMap } from 'quark-ebpf/probe'

/** All facts of all kinds, with all of their switches on or off. */
function factsWith(value: boolean): Fact[] {
  const flags = catalogue.kinds.flatMap(({ options }) =>
    Object.entries(options).flatMap(([name, spec]) => (isSwitch(spec) ? [[name, value] as const] : [])),
  )
  const settings = checkOptions(catalogue.options, Object.fromEntries(flags))
  return catalogue.kinds.flatMap((kind) => kind.facts({ settings, hierarchy: undefined }))
}

for (const value of [false, true]) {
  for (const { name, rungs } of factsWith(value)) {
    test(`all rungs of ${name} fill the same records, options ${value ? 'on' : 'off'}`, () => {
      /** A record that counts as another one is filled in its place. */
      const namesOf = (rung: Fact['rungs'][number]): string[] => {
        const types = layoutsOf(rung).map(({ type }) => type)
        const records = catalogue.recordTypes.filter(({ layout }) => types.includes(layout.type))
        assert.equal(new Set(types).size, records.length, 'a rung fills a record that no kind has')
        return [...new Set(records.map((record) => record.column ?? record.name))].sort()
      }
      const last = rungs.at(-1)
      assert.ok(last !== undefined)
      for (const rung of rungs.slice(0, -1)) {
        // What sees all of a fact may do with fewer sorts of records than what sees it from several sides.
        const isWhole = 'isWhole' in rung && rung.isWhole === true
        const filled: string[] = namesOf(rung)
        const wanted: string[] = namesOf(last).filter((name) => !isWhole || filled.includes(name))
        assert.deepEqual(filled, wanted, rung.by)
      }
    })

    test(`what rungs of ${name} leave is a field of their records, options ${value ? 'on' : 'off'}`, () => {
      for (const rung of rungs) {
        if (!('leaves' in rung)) continue
        const fields = rung.fills.flatMap(({ name, at }) =>
          Object.keys(at).map((field) => `${name}.${field}`),
        )
        for (const field of rung.leaves ?? []) assert.ok(fields.includes(field), `${rung.by}: ${field}`)
      }
    })
  }
}

test('maps of one name are one map: where one rung fails, the next has what it left', () => {
  const maps = new Map<string, ProbeMap>()
  const doubled = new Set<string>()
  for (const { name, rungs } of factsWith(true)) {
    for (const rung of rungs) {
      if (rung.by !== 'ebpf') continue
      for (const map of rung.probes.flatMap((probe) => mapsOf(probe))) {
        if (maps.has(map.name) && maps.get(map.name) !== map) doubled.add(`${map.name} of ${name}`)
        maps.set(map.name, map)
      }
    }
  }
  assert.ok(maps.size > 0)
  assert.deepEqual([...doubled], [])
})
