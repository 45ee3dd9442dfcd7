// The walls hold: a file that imports what its room may not is refused by the linter, in each direction, with a message
// that says where the code belongs; and so is a circle, of types too.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { after, test } from 'node:test'
import { packages } from './rooms.mjs'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'quark-walls-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Writes a file and returns its path. */
function plant(path, text) {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/** What the project's own configuration finds in the planted files: messages by file. */
function lint() {
  const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8'))
  const jsPlugins = config.jsPlugins.map((plugin) => resolve(root, plugin))
  writeFileSync(join(folder, 'oxlint.json'), JSON.stringify({ ...config, jsPlugins }))
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/oxlint/bin/oxlint'), '-c', join(folder, 'oxlint.json'), '-f', 'json', folder],
    { encoding: 'utf8', cwd: folder, maxBuffer: 64 << 20 },
  )
  const found = new Map()
  for (const { filename, code, message } of JSON.parse(stdout).diagnostics) {
    const file = resolve(folder, filename)
    found.set(file, [...(found.get(file) ?? []), `${code}: ${message}`])
  }
  return found
}

/** A file in a room: `kinds/*` stands for any kind. */
function fileIn(room, instance) {
  if (room === './') return 'planted-entry.ts'
  return `${room.replace('*', instance)}/planted.ts`
}

test('the linter refuses every import that the table of rooms does not allow, and no other', () => {
  const expected = new Map()
  for (const [name, rooms] of Object.entries(packages)) {
    const names = Object.keys(rooms)
    for (const room of names)
      plant(`packages/${name}/src/${fileIn(room, 'other')}`, 'export type Planted = number\n')
    for (const from of names) {
      for (const to of names) {
        const path = `${from === './' ? '' : `${from.replace('*', 'one')}/`}from-${names.indexOf(from)}-${names.indexOf(to)}.ts`
        let specifier = relative(dirname(path), fileIn(to, 'other').replace(/\.ts$/, '.js'))
        if (!specifier.startsWith('.')) specifier = `./${specifier}`
        const file = plant(
          `packages/${name}/src/${path}`,
          `import type { Planted } from '${specifier}'\n\nexport type Use = Planted\n`,
        )
        const { may } = rooms[from]
        const isAllowed = may.includes('*') || may.includes(to) || (from === to && !from.includes('*'))
        expected.set(file, isAllowed ? undefined : rooms[to].is)
      }
    }
  }
  const found = lint()
  const breaches = [...expected.values()].filter((is) => is !== undefined).length
  assert.ok(breaches > 100, `${breaches} breaches`)
  for (const [file, is] of expected) {
    const messages = (found.get(file) ?? []).filter((message) => message.startsWith('walls(rooms)'))
    const where = relative(folder, file)
    if (is === undefined) assert.deepEqual(messages, [], where)
    else assert.ok(messages.length === 1 && messages[0].includes(is), `${where}: ${messages.join()}`)
  }
})

test('rooms import only the packages that they are allowed', () => {
  const file = plant(
    'packages/ebpf/src/probe/uses-node.ts',
    "import { readFileSync } from 'node:fs'\n\nexport const read = readFileSync\n",
  )
  const messages = lint().get(file) ?? []
  assert.ok(
    messages.some((message) => message.includes('may import no "node:fs"')),
    messages.join(),
  )
})

test('the linter finds circles, of values and of types', () => {
  const circles = {
    values: [
      "import { b } from './b.js'\n\nexport const a = (): number => b\n",
      "import { a } from './a.js'\n\nexport const b = a()\n",
    ],
    types: [
      "import type { B } from './b.js'\n\nexport interface A {\n  readonly b: B\n}\n",
      "import type { A } from './a.js'\n\nexport interface B {\n  readonly a?: A\n}\n",
    ],
  }
  const files = Object.entries(circles).map(([name, [a, b]]) => {
    plant(`circles/${name}/b.ts`, b)
    return plant(`circles/${name}/a.ts`, a)
  })
  const found = lint()
  for (const file of files) {
    const messages = found.get(file) ?? []
    assert.ok(
      messages.some((message) => message.includes('cycle')),
      `${relative(folder, file)}: ${messages.join()}`,
    )
  }
})

test('ARCHITECTURE.md shows every room', () => {
  const map = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
  for (const rooms of Object.values(packages)) {
    for (const room of Object.keys(rooms)) {
      const [top] = room.split('/')
      if (top !== '.' && top !== 'errors') assert.ok(map.includes(`\`${top}/`), room)
    }
  }
})
