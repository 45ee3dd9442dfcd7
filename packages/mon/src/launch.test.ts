import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

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
  assert.ok(existsSync(`${bundle}.cache`))
  write('read')
  writeFileSync(`${bundle}.cache`, 'of another engine')
  assert.equal(run(), 'read')
  rmSync(`${bundle}.cache`)
  assert.equal(run(), 'read')
})
