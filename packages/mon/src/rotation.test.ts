import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { finish, Output } from './io.js'
import { RotatedFile, type RotationSettings } from './rotation.js'

interface Rig {
  readonly folder: string
  readonly path: string
  readonly errors: Error[]
  readonly rotated: RotatedFile
  begin(head: string): Promise<void>
  write(...lines: string[]): Promise<void>
  end(): Promise<void>
}

function rig(t: TestContext, settings: RotationSettings, before = ''): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'quark-mon-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'events')
  if (before !== '') writeFileSync(path, before)
  return open(path, folder, settings)
}

function open(path: string, folder: string, settings: RotationSettings): Rig {
  const errors: Error[] = []
  const rotated = new RotatedFile(path, settings, (error) => errors.push(error))
  const output = new Output(
    rotated.stream,
    () => {},
    (bytes) => rotated.next(bytes),
  )
  const { signal } = new AbortController()
  return {
    folder,
    path,
    errors,
    rotated,
    async begin(head) {
      rotated.headBytes = head.length + 1
      await output.begin('first\n', `${head}\n`, signal)
    },
    async write(...lines) {
      for (const line of lines) await output.write(`${line}\n`, signal)
    },
    async end() {
      await finish(output)
      assert.equal(output.unwrittenLines, 0)
    },
  }
}

/** The lines of each file, by its name. */
function contents({ folder }: Pick<Rig, 'folder'>): Record<string, string[]> {
  const names = readdirSync(folder).sort()
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1)]),
  )
}

const line = (number: number): string => String(number).padStart(399, '0')
const numbersOf = (lines: readonly string[] = []): number[] => lines.map(Number)

test('no file is larger than its limit, no line is split, and none is lost', async (t) => {
  const files = rig(t, { sizeBytes: 1024, keep: 100 })
  for (let i = 1; i <= 7; i++) await files.write(line(i))
  await files.end()
  const found = contents(files)
  assert.deepEqual(Object.keys(found), ['events', 'events.1', 'events.2', 'events.3'])
  assert.deepEqual(numbersOf(found['events']), [7])
  assert.deepEqual(numbersOf(found['events.1']), [5, 6])
  assert.deepEqual(numbersOf(found['events.3']), [1, 2])
  for (const name of Object.keys(found)) assert.ok(statSync(join(files.folder, name)).size <= 1024)
  assert.deepEqual(files.errors, [])
})

test('a line that is larger than a file may be has a file of its own, whole', async (t) => {
  const files = rig(t, { sizeBytes: 1024 })
  await files.write('a', 'b'.repeat(5000), 'c')
  await files.end()
  assert.deepEqual(contents(files), { events: ['c'], 'events.1': ['b'.repeat(5000)], 'events.2': ['a'] })
})

test('as many files are kept as asked, and others of the folder are left alone', async (t) => {
  const files = rig(t, { sizeBytes: 1024, keep: 2 })
  writeFileSync(join(files.folder, 'events.3'), 'of others\n')
  writeFileSync(join(files.folder, 'events.log'), 'of others\n')
  for (let i = 1; i <= 9; i++) await files.write(line(i))
  await files.end()
  const found = contents(files)
  assert.deepEqual(Object.keys(found), ['events', 'events.1', 'events.2', 'events.3', 'events.log'])
  assert.deepEqual(numbersOf(found['events.2']), [5, 6])
  assert.deepEqual(found['events.3'], ['of others'])
})

test('all files together are never larger than the limit', async (t) => {
  const files = rig(t, { totalBytes: 5000, sizeBytes: 1024, keep: 50 })
  for (let i = 1; i <= 40; i++) {
    await files.write(line(i))
    const sizes = readdirSync(files.folder).map((name) => statSync(join(files.folder, name)).size)
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= 5000)
  }
  await files.end()
  const kept = Object.values(contents(files)).flatMap(numbersOf)
  assert.ok(kept.length >= 8, 'and not much smaller')
  assert.ok(kept.includes(40) && !kept.includes(1), 'the oldest go first')
})

test('with a limit of all files only, each may have its share', async (t) => {
  const files = rig(t, { totalBytes: 4096, keep: 3 })
  for (let i = 1; i <= 30; i++) await files.write(line(i))
  await files.end()
  for (const lines of Object.values(contents(files))) assert.equal(lines.length, 2)
})

test('an old file is rotated, an empty one is not', async (t) => {
  const files = rig(t, { ageMs: 0 })
  assert.equal(files.rotated.next(0), undefined, 'it is empty')
  await files.write('a', 'b')
  await files.end()
  assert.deepEqual(contents(files), { events: ['b'], 'events.1': ['a'] })
})

test('a run goes on in the file of a run that was killed: with its size, and after its last line', async (t) => {
  const files = rig(t, { sizeBytes: 1024 }, `${line(1)}\n{"half":`)
  await files.write(line(2), line(3))
  await files.end()
  const found = contents(files)
  assert.deepEqual(found['events.1'], [line(1), '{"half":', line(2)])
  assert.deepEqual(found['events'], [line(3)])
})

test('files of a rotation that was killed in the middle are not overwritten', async (t) => {
  const files = rig(t, { sizeBytes: 1024, keep: 4 }, `${line(5)}\n`)
  // 2 was renamed to 3, and 1 not yet to 2.
  writeFileSync(`${files.path}.1`, 'newest\n')
  writeFileSync(`${files.path}.3`, 'oldest\n')
  await files.write(line(6), line(7))
  await files.end()
  const found = contents(files)
  assert.deepEqual([found['events.2'], found['events.3']], [['newest'], ['oldest']])
  assert.deepEqual(numbersOf(found['events.1']), [5, 6])
})

test('a rotation that fails is reported once, loses nothing, and the run goes on', async (t) => {
  const files = rig(t, { sizeBytes: 1024, keep: 1 })
  // A folder that is not empty cannot be replaced by a file.
  mkdirSync(join(files.folder, 'events.1', 'full'), { recursive: true })
  for (let i = 1; i <= 6; i++) await files.write(line(i))
  await files.end()
  assert.deepEqual(numbersOf(readFileSync(files.path, 'utf8').split('\n').slice(0, -1)), [1, 2, 3, 4, 5, 6])
  assert.equal(files.errors.length, 1)
  assert.match(
    files.errors[0]?.message ?? '',
    /^Cannot rotate .*events, and goes on with the file that is open$/,
  )
  assert.ok(files.errors[0]?.cause instanceof Error)
})

test('a folder that is gone is reported, and the open file is written on', async (t) => {
  const files = rig(t, { sizeBytes: 1024 })
  await files.write(line(1), line(2))
  const moved = `${files.folder}-moved`
  t.after(() => rmSync(moved, { recursive: true, force: true }))
  renameSync(files.folder, moved)
  await files.write(line(3), line(4))
  await files.end()
  assert.equal(files.errors.length, 1)
  assert.deepEqual(numbersOf(contents({ folder: moved })['events']), [1, 2, 3, 4])
})

test('a file that others have renamed is theirs: another one is begun, none is renamed', async (t) => {
  const files = rig(t, { sizeBytes: 1024 })
  await files.write(line(1), line(2))
  renameSync(files.path, join(files.folder, 'events-of-logrotate'))
  await files.write(line(3))
  await files.end()
  const found = contents(files)
  assert.deepEqual(Object.keys(found), ['events', 'events-of-logrotate'])
  assert.deepEqual(numbersOf(found['events']), [3])
})

test('a reopened file is counted from its own size', async (t) => {
  const files = rig(t, { sizeBytes: 1024 })
  await files.write(line(1), line(2))
  renameSync(files.path, join(files.folder, 'away'))
  const { stream } = files.rotated.reopen()
  assert.equal(files.rotated.next(800), undefined)
  assert.notEqual(files.rotated.next(800), undefined, 'the second one does not fit')
  assert.ok(existsSync(`${files.path}.1`))
  stream.destroy()
})

test('age counts from when the file was made, also by an earlier run', async (t) => {
  const before = rig(t, { ageMs: 3_600_000 }, 'old\n')
  await before.write('a')
  await before.end()
  assert.deepEqual(contents(before), { events: ['old', 'a'] })
  // An old time of change says nothing: it is the time of birth that counts.
  utimesSync(before.path, 1, 1)
  const after = open(before.path, before.folder, { ageMs: 1 })
  await new Promise((resolve) => setTimeout(resolve, 5))
  await after.write('b')
  await after.end()
  assert.deepEqual(contents(after), { events: ['b'], 'events.1': ['old', 'a'] })
})

test('what is no regular file is refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-mon-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  assert.throws(() => new RotatedFile('/dev/null', { sizeBytes: 1024 }, () => {}), /no regular file/)
  assert.throws(() => new RotatedFile(join(folder, 'no', 'events'), { sizeBytes: 1024 }, () => {}), /ENOENT/)
})

test('each further file begins with its head, which counts, and an event that is larger than a file is in one', async (t) => {
  const files = rig(t, { sizeBytes: 1024, keep: 100 })
  const head = 'head'.padEnd(299, '.')
  await files.begin(head)
  const long = 'x'.repeat(2000)
  await files.write(line(1), line(2), line(3), long, line(4))
  await files.end()
  assert.deepEqual(contents(files), {
    'events.3': ['first', line(1), line(2)],
    'events.2': [head, line(3)],
    'events.1': [head, long],
    events: [head, line(4)],
  })
})
