import assert from 'node:assert/strict'
import test from 'node:test'
import { declared, PAGES, stale, undocumented, unusedForeign } from './docs-names.mjs'

const known = declared()

test('every option, field, exported name, script, metric and file that the docs name exists', () => {
  assert.deepEqual(
    [...PAGES].flatMap(([path, text]) => stale(path, text, known)),
    [],
  )
})

test('every option, field, exported name and metric is in the docs', () => {
  assert.deepEqual(undocumented(PAGES, known), [])
})

test('what the docs name of others is still there', () => {
  assert.deepEqual(unusedForeign(), [])
})

const PLANTED = [
  ['an option alone', 'Give `--durations` a time.', 'no command has the option --durations'],
  ['an option with a value', 'Give `--gone=5m`.', 'no command has the option --gone'],
  ['an option in a command', '`quark-mon --text --no-such`', 'quark-mon has no option --no-such'],
  ['a letter in a command', '`sudo quark-mon -Z`', 'quark-mon has no option -Z'],
  [
    'an option of another command',
    '```sh\nquark-mon doctor --replay x\n```',
    'quark-mon has no option --replay',
  ],
  ['an option in a block', '```sh\n# quark-btf --gone   # a remark\n```', 'quark-btf has no option --gone'],
  [
    'an import',
    "```js\nimport { Quark, gone } from 'quark-telemetry'\n```",
    'quark-telemetry does not export gone',
  ],
  [
    'an entry',
    "```ts\nimport { at } from 'quark-ebpf/gone'\n```",
    'there is no quark-ebpf/gone to import from',
  ],
  ['a counter', '`stats().lostForGood`', 'stats().lostForGood does not exist'],
  ['a method', '`quark.rewind()`', 'quark.rewind does not exist'],
  ['a field', 'The member `exitColourOfMoon`', 'nothing is called exitColourOfMoon'],
  ['a field of a member', '`process.sizeOfGhost`', 'nothing is called sizeOfGhost'],
  ['a script', 'Run `npm run gone`.', 'npm run gone does not exist'],
  ['a link', '[this](docs/gone.md)', 'the link docs/gone.md leads nowhere'],
]

for (const [what, text, problem] of PLANTED) {
  test(`a planted name that does not exist is found: ${what}`, () => {
    const problems = stale('README.md', text, known)
    assert.ok(problems.includes(`README.md: ${problem}`), problems.join('\n'))
  })
}

test('a planted metric is found', () => {
  const text = '`quark_ghosts_total`'
  assert.ok(
    stale('docs/running.md', text, known).includes(
      'docs/running.md: the metric quark_ghosts_total does not exist',
    ),
  )
})

test('what is new and in no page is found', () => {
  const [command, ...others] = known.commands
  const more = {
    ...known,
    commands: [{ ...command, options: [...command.options, { long: 'ghost', help: 'x' }] }, ...others],
    exported: new Map([...known.exported, ['quark-telemetry', new Map([['ghostOf', {}]])]]),
    fields: new Set([...known.fields, 'ghostlyField']),
    metrics: [...known.metrics, 'quark_ghosts'],
  }
  assert.deepEqual(undocumented(PAGES, more), [
    'the option --ghost of quark-mon is in no page',
    'ghostOf, which quark-telemetry exports, is in no page',
    'the field ghostlyField is in no page',
    'the metric quark_ghosts is in no page',
  ])
})
