import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

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
