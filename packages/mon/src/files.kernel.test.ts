import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { Running } from './testing/command.js'

interface Line {
  readonly kind: string
  readonly actions: readonly string[]
  readonly path?: string
}

test('with -D changes of files are still seen, each once', { timeout: 60_000 }, async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-mon-files-')))
  t.after(() => rmSync(root, { recursive: true }))
  const running = new Running(['-D', `-F${root}`, '--json', '--event=file'])
  await running.seen(/"kind":"start"/)
  spawnSync('sh', ['-c', 'echo x > f; mkdir d; mv f d/g; rm d/g; rmdir d; : > last'], { cwd: root })
  await running.seen(/"path":"[^"]*\/last"/)
  await new Promise((resolve) => setTimeout(resolve, 300))
  running.child.kill('SIGINT')
  const { code, out, err } = await running.ended()
  assert.equal(code, 0, err)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  assert.deepEqual(
    lines
      .filter(({ kind }) => kind === 'file')
      .map(({ actions, path }) => `${actions.join('+')} ${path?.replace(`${root}/`, '')}`),
    ['create+modify+close f', 'mkdir d', 'move d/g', 'remove d/g', 'rmdir d', 'create last'],
  )
})
