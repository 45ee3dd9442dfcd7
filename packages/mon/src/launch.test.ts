import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'

/** What the engine made of a bundle is of use to the same engine on the same processor only. */
const cache = (bundle: string): string => `${bundle}.${process.arch}-${process.versions.v8}.cache`

const BIN = fileURLToPath(new URL('../bin', import.meta.url))

/** An installed package whose command writes one word. */
function installed(t: TestContext): {
  bundle: string
  write: (word: string) => void
  writeCache: () => void
  run: () => string
} {
  const directory = mkdtempSync(join(tmpdir(), 'quark-'))
  t.after(() => rmSync(directory, { recursive: true }))
  cpSync(BIN, join(directory, 'bin'), { recursive: true })
  mkdirSync(join(directory, 'dist'))
  const bundle = join(directory, 'dist/quark-mon.bundle.cjs')
  const node = (...args: string[]): string =>
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return {
    bundle,
    write: (word) =>
      writeFileSync(bundle, `const word = '${word}'; exports.main = async () => console.log(word)`),
    writeCache: () => void node(join(directory, 'bin/launch.cjs'), bundle),
    run: () => node(join(directory, 'bin/quark-mon.cjs')).trim(),
  }
}

test('the engine takes what it made of the bundle before', (t) => {
  const { write, writeCache, run } = installed(t)
  write('made')
  writeCache()
  // The engine compares lengths only, which shows that it did not parse the bundle again.
  write('read')
  assert.equal(run(), 'made')
})

test('without what the engine made before, or with that of another engine, the bundle is read', (t) => {
  const { bundle, write, writeCache, run } = installed(t)
  write('made')
  assert.equal(run(), 'made')
  writeCache()
  assert.ok(existsSync(cache(bundle)))
  write('read')
  writeFileSync(cache(bundle), 'of another engine')
  assert.equal(run(), 'read')
  rmSync(cache(bundle))
  assert.equal(run(), 'read')
})

test('what an engine made for another processor is left alone', (t) => {
  const { bundle, write, writeCache, run } = installed(t)
  write('made')
  writeCache()
  renameSync(cache(bundle), cache(bundle).replace(process.arch, 'other'))
  write('read')
  assert.equal(run(), 'read')
})

test('an old Node is a sentence, and what runs before it is known is in words that each of them has', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const old = join(directory, 'old.cjs')
  writeFileSync(old, "Object.defineProperty(process.versions, 'node', { value: '20.19.6' })")
  for (const command of ['quark-mon', 'quark-btf']) {
    const bin = join(BIN, `${command}.cjs`)
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', old, bin, '-V'], {
      encoding: 'utf8',
    })
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
    assert.match(
      stderr,
      new RegExp(
        `^${command}: needs Node\\.js 20\\.20 or later, and this is 20\\.19\\.6, \\S+ \\(install [^\\n]*\\)\\n$`,
      ),
    )
    for (const file of [bin, join(BIN, 'node-version.cjs')]) {
      const code = readFileSync(file, 'utf8').replace(/^#!.*/, '')
      assert.equal(transformSync(code, { target: 'node6' }).code, transformSync(code).code, file)
      assert.doesNotMatch(code, /node:/, 'Node 12 does not know this prefix')
    }
  }
})

test('without a Node in PATH it says so', () => {
  const { status, stderr } = spawnSync('/bin/sh', [join(BIN, 'quark-mon.cjs'), '-V'], {
    encoding: 'utf8',
    env: { PATH: '/nonexistent' },
  })
  assert.equal(status, 127)
  assert.match(
    stderr,
    /^quark-mon: needs Node\.js 20\.20 or later, and no node is in PATH \(install it; .*\)\n$/,
  )
})

test('what goes wrong at the start, or where nobody expects it, is a sentence without a stack', (t) => {
  const { bundle } = installed(t)
  const run = (code: string, ...args: string[]): { status: number | null; stderr: string } => {
    writeFileSync(bundle, code)
    const bin = join(bundle, '../../bin/quark-mon.cjs')
    const { status, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' })
    return { status, stderr }
  }
  assert.deepEqual(run("require('nothing-of-this-name')"), {
    status: 1,
    stderr:
      "quark-mon: Cannot start: Cannot find module 'nothing-of-this-name' " +
      '(the installation is not complete: install it again)\n',
  })
  const report = '(unexpected: please report it, with what -vv adds)'
  assert.deepEqual(run("exports.main = async () => { throw new Error('odd\\x1b[2J') }"), {
    status: 1,
    stderr: `quark-mon: odd?[2J ${report}\n`,
  })
  const later = "exports.main = () => new Promise(() => setTimeout(() => { throw new Error('late') }, 1))"
  assert.deepEqual(run(later), { status: 1, stderr: `quark-mon: late ${report}\n` })
  assert.match(run(later, '-vv').stderr, /^ {4}at /m)
  rmSync(bundle)
})
