import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { catalogue } from '../kinds/index.js'
import { declarations } from '../stream.js'
import { columnsOf } from './columns.js'
import { ecsParts, fillIn, jsonParts, textParts } from './testing/docs.js'
import { ENVIRONMENT, LINE_CUT } from './text.js'

const DOCS = new URL('../../../../docs/', import.meta.url)
const pages = [
  { name: 'json.md', parts: jsonParts(declarations) },
  { name: 'ecs.md', parts: ecsParts(declarations) },
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

const texts = catalogue.events.flatMap(({ text }) => text ?? [])
const words = new Set(texts.flatMap(({ words }) => Object.keys(words)))
const labels = [LINE_CUT, ENVIRONMENT, ...texts.flatMap(({ notes = [] }) => notes)].map(({ label }) => label)

/** Notes without a label: a duration, the name of an error, or what the terminal has cut. */
const OTHER_NOTE = /^(<?[\d.]+(us|ms|s)|[\dmshd]+|E[A-Z0-9]+|.*…)$/

function checkLine(line: string): void {
  const [, word = ''] = /^[\d:.]{12} (\w+) /.exec(line) ?? []
  assert.ok(words.has(word), `no word ${word}: ${line}`)
  const [, notes] = line.split(' # ')
  for (const note of notes?.split(', ') ?? []) {
    const isKnown = OTHER_NOTE.test(note) || labels.some((label) => label !== '' && note.startsWith(label))
    assert.ok(isKnown, `no note ${note}: ${line}`)
  }
}

const captures = readdirSync(new URL('captures/', DOCS)).filter((name) => /^(text|tree).*\.txt$/.test(name))

test('captures have the words and notes that are declared: node scripts/captures.mjs', () => {
  assert.ok(captures.length > 0)
  for (const name of captures) {
    const [command = '', heading = '', ...lines] = readFileSync(new URL(`captures/${name}`, DOCS), 'utf8')
      .trimEnd()
      .split('\n')
    assert.match(command, /^\$ quark-mon/)
    assert.match(heading, /^\d{4}-\d\d-\d\d +WHAT +PID/)
    assert.ok(lines.length > 10)
    const columns = Number(/\d+/.exec(name)?.[0] ?? 100)
    for (const line of lines) {
      checkLine(line)
      assert.ok(columnsOf(line) <= columns, line)
    }
  }
  assert.throws(() => checkLine('12:00:00.000 spawn 1 root init[1] x'), /no word spawn/)
  assert.throws(() => checkLine('12:00:00.000 run 1 root init[1] x # exits 0'), /no note exits/)
})

for (const page of ['../README.md', 'text.md']) {
  test(`docs/${page} shows captures as they are`, () => {
    const text = readFileSync(new URL(page, DOCS), 'utf8')
    const shown = [...text.matchAll(/<!-- capture: ([\w-]+) -->\n\n```\n([^]*?)```\n\n<!-- end -->/g)]
    assert.ok(shown.length > 0)
    for (const [, name = '', capture] of shown) {
      assert.equal(capture, readFileSync(new URL(`captures/${name}.txt`, DOCS), 'utf8'))
    }
  })
}
