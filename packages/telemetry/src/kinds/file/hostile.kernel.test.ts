/** Paths that are too long, and descriptors that are used again at once: right, or declared. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { kernelAtLeast } from 'quark-ebpf'
import { isCut } from '../../files/paths.js'
import { openWith } from './testing/rungs.js'
import { hasPython } from './testing/situations.js'
import { isFile } from './testing/watch.js'
import { runWatched } from './testing/watched.js'

const LIMIT = {
  timeout: 60_000 * Number(process.env['TEST_SLOW'] ?? 1),
  skip: !hasPython && 'there is no Python',
}

function directory(t: TestContext): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-hostile-')))
  // Node has paths of 4,096 bytes.
  t.after(() => spawnSync('rm', ['-rf', root]))
  return root
}

/** Of a path below the root: 24 of them are longer than PATH_MAX. */
const PART = 'd'.repeat(200)

test('of a path of more than 4,096 bytes the lower part is told, and that it is one', LIMIT, async (t) => {
  const root = directory(t)
  const program = `
import os
for _ in range(24): os.mkdir('${PART}'); os.chdir('${PART}')
fd = os.open('first', os.O_WRONLY | os.O_CREAT); os.write(fd, b'123'); os.close(fd)
os.rename('first', 'second'); os.unlink('second')
`
  writeFileSync(join(root, 'deep.py'), program)
  const { events, quark } = await runWatched(root, `cd ${root}; python3 deep.py`)
  assert.equal(quark.stats().lost, 0)
  const whole = `${root}${`/${PART}`.repeat(24)}`
  const deep = events.filter(({ path }) => /\/(first|second)$/.test(path ?? ''))
  assert.deepEqual(
    deep.map(({ actions, path }) => `${actions.join('+')} ${path?.slice(path.lastIndexOf('/') + 1)}`),
    ['create+modify+close first', 'move second', 'remove second'],
  )
  for (const { path = '', oldPath } of deep) {
    const text = isCut(path) ? path.slice(path.indexOf('/')) : path
    assert.ok(isCut(path) || path.startsWith('/'), path)
    assert.ok(text.length > 1000 && text.length <= 4096 + PART.length, String(text.length))
    assert.ok(`${whole}/first`.endsWith(text) || `${whole}/second`.endsWith(text))
    assert.ok(oldPath === undefined || oldPath.endsWith(`/${PART}/first`))
  }
  const made = events.filter(({ actions }) => actions.includes('mkdir'))
  assert.equal(made.length, 24)
})

test(
  'another thread that uses the descriptor of a call again makes no change that is not declared as possible',
  LIMIT,
  async (t) => {
    const root = directory(t)
    for (const name of ['written', 'never']) writeFileSync(join(root, name), '')
    const program = `
import os, threading
a = os.open('written', os.O_WRONLY); never = os.open('never', os.O_RDONLY)
fd = os.dup(a)
stop = False
def flip():
    while not stop:
        os.dup2(never, fd); os.dup2(a, fd)
t = threading.Thread(target=flip); t.start()
for i in range(20000):
    try: os.write(fd, b'x')
    except OSError: pass
stop = True; t.join()
`
    writeFileSync(join(root, 'flip.py'), program)
    const { events, quark } = await runWatched(root, `cd ${root}; python3 flip.py`)
    const invented = events.filter(({ path }) => path === join(root, 'never'))
    t.diagnostic(`${events.length} events, ${invented.length} of a file that was never written to`)
    assert.ok(events.some(({ path }) => path === join(root, 'written')))
    const isDeclared = quark.capabilities.missing.some(({ fact }) => fact === 'fileContent.descriptors')
    assert.ok(isDeclared || invented.length === 0)
  },
)

for (const rung of ['calls', 'both'] as const) {
  test(
    `a descriptor that is used again before close(2) returns is of two files, by ${rung}`,
    LIMIT,
    async (t) => {
      const root = directory(t)
      // What is gone with its last descriptor is freed in close(2), after the descriptor is (since Linux 6.6).
      const program = `
import os, sys, threading
hits = 0
for n in range(15):
    old = os.open(f'old{n}', os.O_CREAT | os.O_WRONLY)
    os.write(old, bytes(1 << 25))
    os.unlink(f'old{n}')
    is_closed = False
    def close():
        global is_closed
        os.close(old)
        is_closed = True
    thread = threading.Thread(target=close)
    thread.start()
    i = 0
    while not is_closed and i < 50:
        fd = os.open(f'new{n}-{i}', os.O_CREAT | os.O_WRONLY)
        os.write(fd, b'x')
        hits += fd == old and not is_closed
        os.close(fd)
        i += 1
        if fd == old: break
    thread.join()
open('hits', 'w').write(str(hits))
`
      writeFileSync(join(root, 'again.py'), program)
      const quark = await openWith(rung, { files: [root], where: { treeOf: process.pid }, holdMs: 2000 })
      if (typeof quark === 'string') return t.skip(quark)
      const made = spawnSync('python3', ['again.py'], { cwd: root, stdio: 'inherit' })
      assert.equal(made.status, 0)
      const events = quark.finish().filter(isFile)
      await quark.close()
      const { lost } = quark.stats()
      t.diagnostic(`${readFileSync(join(root, 'hits'), 'utf8')} times, ${lost} lost`)
      if (lost > 0 && kernelAtLeast('6.19')) return t.skip(`${lost} records are declared as lost`)
      assert.equal(lost, 0)
      const wrote = new Map<string, number>()
      for (const { path = '', writtenBytes = 0 } of events) {
        const name = basename(path)
        if (/^(new|old)/.test(name)) wrote.set(name, (wrote.get(name) ?? 0) + writtenBytes)
      }
      assert.equal([...wrote.keys()].filter((name) => name.startsWith('old')).length, 15)
      for (const [name, bytes] of wrote) assert.equal(bytes, name.startsWith('old') ? 2 ** 25 : 1, name)
    },
  )
}
