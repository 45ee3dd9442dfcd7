// What is known of processes is in the folders of processes: no other room names their records, their events or their
// fields, so that a new kind changes none. What tests need of them does not count.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { globSync } from '../glob.mjs'

const root = resolve(import.meta.dirname, '../..')

/** Rooms that may have the words. */
const OWN = /^packages\/telemetry\/src\/(kinds\/process|kinds\/cgroup|process)\//
const WORDS = ['capAmbient', 'execFailed', 'commChange', 'idChange', 'threadExit', 'cgroupMkdir']
const OPTION = 'maxArgvBytes'

const WORD = new RegExp(`\\b(?:${[...WORDS, OPTION].join('|')})\\b`)
/** The same words, built from parts. */
const BUILT = new RegExp(
  `(['"\`])(?:cap|exec|comm|id|thread|cgroup|maxArgv)\\1\\s*\\+|\\$\\{\\w+\\}(?:Ambient|Failed|Change|Exit|Mkdir|ArgvBytes)\\b`,
)
const DECLARED = new RegExp(`\\b${OPTION}\\??:\\s*\\{`, 'g')
const TYPED = new RegExp(`\\b${OPTION}\\??:\\s*number\\b`, 'g')

/** `path: what` for each file that says what only the rooms of processes may say. */
function breachesIn(files) {
  const found = files.flatMap(([path, text]) => {
    if (OWN.test(path)) return []
    const [what] = WORD.exec(text) ?? BUILT.exec(text) ?? []
    return what === undefined ? [] : [`${path}: ${what}`]
  })
  const all = files.map(([, text]) => text).join('\n')
  for (const [form, pattern] of [
    ['option', DECLARED],
    ['member', TYPED],
  ]) {
    const count = [...all.matchAll(pattern)].length
    if (count !== 1) found.push(`${OPTION}: ${count} declarations as an ${form}, and not 1`)
  }
  return found
}

const sources = globSync(resolve(root, 'packages'), /packages\/\w+\/src\/.*\.ts$/)
  .map((path) => path.slice(root.length + 1))
  .filter((path) => !path.endsWith('.test.ts') && !path.includes('/testing/'))
  .map((path) => [path, readFileSync(resolve(root, path), 'utf8')])

test('no room names what only processes have, and their option is declared once', () => {
  assert.ok(sources.length > 300, `${sources.length} files`)
  assert.ok(sources.some(([path, text]) => OWN.test(path) && WORD.test(text)))
  assert.deepEqual(breachesIn(sources), [])
})

for (const [planted, path] of [
  ["case 'execFailed':", 'packages/telemetry/src/summary/planted.ts'],
  ['process.capAmbient', 'packages/mon/src/planted.ts'],
  ["const name = 'exec' + 'Failed'", 'packages/telemetry/src/summary/planted.ts'],
  ['`${what}Change`', 'packages/telemetry/src/output/planted.ts'],
  ['settings.maxArgvBytes', 'packages/telemetry/src/backend/planted.ts'],
  ['maxArgvBytes: { type: 1 }', 'packages/telemetry/src/process/planted.ts'],
  ['readonly maxArgvBytes: number', 'packages/telemetry/src/kinds/process/planted.ts'],
]) {
  test(`finds what is planted in ${path}: ${planted}`, () => {
    assert.equal(breachesIn([...sources, [path, planted]]).length, 1)
  })
}
