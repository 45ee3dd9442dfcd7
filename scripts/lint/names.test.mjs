// The packages are quark-ebpf, quark-telemetry and quark-mon: no tracked file has an older name of one, except the
// changelog, which records that they were renamed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')

/** The history, and this file, which plants old names. */
const EXCLUDED = new Set(['CHANGELOG.md', 'scripts/lint/names.test.mjs'])

const OLD_NAMES = [
  /@quark\//,
  // Imports of the package `quark`, or of a file in it.
  /\b(?:from|import|require|resolve)\s*\(?\s*(['"`])quark(?:\/[^'"`]*)?\1/,
  /\bnpm (?:install|i|add|update|uninstall|view)\b[^\n`|&;#]*?\squark(?![-\w.])/,
  /\bnpx (?:--?[\w-]+ )*quark(?![-\w])/,
  // A dependency, a package's own name, or an entry of the lock file.
  /"quark":\s*"/,
  /"name":\s*"quark"/,
  /node_modules\/quark(?![-\w])/,
  // Its folder, and the report of its interface.
  /packages\/quark(?![-\w])/,
  /\.\.\/quark\//,
  /api\/quark\./,
]

/** `line: text` of each line with an old name. */
function oldNamesIn(text) {
  return text
    .split('\n')
    .map((line, index) => `${index + 1}: ${line.trim().slice(0, 200)}`)
    .filter((line) => OLD_NAMES.some((name) => name.test(line)))
}

for (const planted of [
  "import { Probe } from '@quark/ebpf/probe'",
  'npm install @quark/mon',
  "import { Quark } from 'quark'",
  'import { Quark } from "quark"',
  "await import('quark')",
  "const { Quark } = require('quark')",
  "import 'quark/schema.json'",
  'npm install quark',
  'npm install quark         # the library',
  'npm i quark && node watch.js',
  'npm i --save-exact quark@0.1.0',
  '`npm add quark`',
  'npx quark --json',
  'npx --yes quark',
  '  "dependencies": { "quark": "0.1.0" }',
  '  "name": "quark",',
  '    "node_modules/quark": {',
  '[quark](packages/quark/README.md)',
  '[quark](../quark/README.md)',
  'api/quark.api.md',
]) {
  test(`finds the old name in: ${planted}`, () => {
    assert.equal(oldNamesIn(`first\n${planted}\nlast`).length, 1)
  })
}

for (const planted of [
  "import { Quark } from 'quark-telemetry'",
  "import { probe } from 'quark-ebpf/probe'",
  'npm install quark-telemetry',
  'npm i quark-mon   # and not the C quark',
  'npm ci && npx quark-mon',
  '"dependencies": { "quark-ebpf": "0.1.0" }',
  '{"ecs":{"version":"9.4.0"},"quark":{"lost":1}}',
  'new events from quark itself',
  'the C quark, quark.h and quark-test',
]) {
  test(`accepts: ${planted}`, () => {
    assert.deepEqual(oldNamesIn(planted), [])
  })
}

/** Paths of the files that git tracks; without git, of all files that nobody built or installed. */
function trackedFiles() {
  // The clone may belong to another user, as it may for a root in a container.
  const { status, stdout } = spawnSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (status === 0) return stdout.split('\0').filter((path) => path !== '')
  return filesBelow('')
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) return entry.isFile() ? [path] : []
    return ['node_modules', 'dist', '.git', '.cache'].includes(entry.name) ? [] : filesBelow(path)
  })
}

test('both lists of files have those of this repository', () => {
  for (const list of [trackedFiles(), filesBelow('')]) {
    assert.ok(list.includes('README.md') && list.includes('packages/telemetry/package.json'))
  }
})

test('no tracked file has an old name of a package', () => {
  const paths = trackedFiles().filter((path) => !EXCLUDED.has(path))
  const found = []
  for (const path of paths) {
    let bytes
    try {
      bytes = readFileSync(join(root, path))
    } catch (error) {
      // Removed, or moved, and not committed yet.
      if (error.code === 'ENOENT') continue
      throw error
    }
    if (bytes.includes(0)) continue
    for (const line of oldNamesIn(bytes.toString('utf8'))) found.push(`${path}:${line}`)
  }
  assert.deepEqual(found, [])
})
