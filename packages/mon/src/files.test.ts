import assert from 'node:assert/strict'
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UsageError } from './arguments.js'
import { checkFiles } from './files.js'
import { parseCommandLine } from './parse.js'
import { runCommand } from './testing/command.js'

/** It has 62 events of a machine that is not known, and nothing is missing in it. */
const RECORDING = fileURLToPath(
  new URL('../../telemetry/src/recording/testdata/0.1.0.quarkrec', import.meta.url),
)

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-files-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function check(...args: string[]): void {
  const read = parseCommandLine(args)
  assert.ok(read.show === 'events')
  checkFiles(read.settings)
}

test('a file is not used for two things, whatever it is called', (t) => {
  const folder = folderOf(t)
  const file = join(folder, 'recording')
  writeFileSync(file, 'something')
  symlinkSync(file, join(folder, 'symlink'))
  linkSync(file, join(folder, 'hardlink'))
  mkdirSync(join(folder, 'other'))
  const names = [
    file,
    relative('.', file),
    join(folder, 'other', '..', 'recording'),
    join(folder, 'symlink'),
    join(folder, 'hardlink'),
  ]
  for (const name of names) {
    const message = /use the same file twice, ".*": give different files$/
    assert.throws(() => check('--replay', file, '-o', name), message, name)
    assert.throws(() => check('--record', file, '-o', name), message, name)
    assert.throws(() => check('--process-graph', file, '-o', name), message, name)
    assert.throws(() => check('--replay', file, '-C', name), UsageError, name)
    assert.throws(
      () => check('--replay', file, '--replay', name),
      /^UsageError: --replay names the same/,
      name,
    )
  }
  assert.equal(readFileSync(file, 'utf8'), 'something')
})

test('neither is one that is not there yet', (t) => {
  const file = join(folderOf(t), 'new')
  assert.throws(
    () => check('--record', file, '-o', relative('.', file)),
    /--record and --output use the same file/,
  )
  check('--record', file, '-o', `${file}.json`)
  assert.throws(() => statSync(file), /ENOENT/)
})

test('neither is one that rotation renames or removes', (t) => {
  const file = join(folderOf(t), 'events')
  for (const number of [1, 3]) {
    writeFileSync(`${file}.${number}`, 'something')
    const args = ['--replay', `${file}.${number}`, '-o', file]
    assert.throws(
      () => check(...args, '--rotate-size=1M', '--rotate-keep=3'),
      /renamed when the file of -o is rotated/,
    )
    check(...args)
  }
  check('--replay', `${file}.3`, '-o', file, '--rotate-size=1M', '--rotate-keep=2')
  check('--record', `${file}.quark`, '-o', file, '--rotate-size=1M')
})

test('what many may use is not in the way', () => {
  check('--record', '/dev/null', '-o', '/dev/null', '-C', '/dev/null')
})

test('--truncate wants a file', () => {
  assert.throws(
    () => check('--truncate', '--json'),
    /--truncate has no effect: give -o FILE or --record FILE/,
  )
})

test('a run that would read what it writes is refused before anything is written', (t) => {
  const file = join(folderOf(t), 'recording')
  writeFileSync(file, readFileSync(RECORDING))
  const before = statSync(file)
  for (const args of [
    ['-o', file],
    ['-o', file, '--truncate'],
    ['-o', file, '--rotate-size=1M'],
  ]) {
    const { code, out, err } = runCommand(['--replay', file, ...args])
    assert.deepEqual({ code, out }, { code: 2, out: '' })
    assert.match(err, /^quark-mon: --replay and --output use the same file twice/)
  }
  const after = statSync(file)
  assert.deepEqual([after.ino, after.size, after.mtimeMs], [before.ino, before.size, before.mtimeMs])
  assert.deepEqual(readFileSync(file), readFileSync(RECORDING))
})

test('-o appends, to whole lines, unless it is to truncate, and makes files for their owner only', (t) => {
  const file = join(folderOf(t), 'events')
  const run = (...args: string[]): void => {
    const { code, err } = runCommand(['--replay', RECORDING, '--json', '-q', '-o', file, ...args])
    assert.equal(code, 0, err)
  }
  run()
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const once = readFileSync(file, 'utf8')
  // A run that was killed has left a line without its end.
  writeFileSync(file, `${once}{"cut`)
  run()
  assert.equal(readFileSync(file, 'utf8'), `${once}{"cut\n${once}`)
  run('--truncate')
  assert.equal(readFileSync(file, 'utf8'), once)
  run('--truncate', '--rotate-size=100M')
  assert.equal(readFileSync(file, 'utf8'), once)
})

test('a recording that was cut short is replayed as far as it is whole, which is reported and with --strict the status', (t) => {
  const folder = folderOf(t)
  const whole = readFileSync(RECORDING)
  const all = runCommand(['--replay', RECORDING, '--json', '-q'])
  const events = (out: string): string[] =>
    out.split('\n').filter((line) => /^\{"kind":"(?!start|end)/.test(line))
  const cut = join(folder, 'cut')
  // Within the frame of the end mark, and somewhere in the middle.
  for (const length of [whole.length - 5, whole.length >> 1]) {
    writeFileSync(cut, whole.subarray(0, length))
    const { code, out, err } = runCommand(['--replay', cut, '--json', '-q'])
    assert.equal(code, 0, err)
    assert.match(err, /the recording ".*cut" ends at byte \d+ without its end mark/)
    assert.deepEqual(events(out), events(all.out).slice(0, events(out).length))
    assert.equal(runCommand(['--replay', cut, '--json', '--strict']).code, 3)
  }
  assert.equal(runCommand(['--replay', RECORDING, '--json', '--strict']).code, 0)
  const damaged = Buffer.from(whole)
  damaged.writeUInt8(damaged.readUInt8(whole.length >> 1) ^ 0xff, whole.length >> 1)
  writeFileSync(cut, damaged)
  assert.equal(runCommand(['--replay', cut, '--json', '-q']).code, 1)
})

test('several recordings are replayed one after the other, one that was cut short among them', (t) => {
  const folder = folderOf(t)
  const [first, second] = [join(folder, 'first'), join(folder, 'second')]
  const whole = readFileSync(RECORDING)
  writeFileSync(first, whole.subarray(0, whole.length - 5))
  writeFileSync(second, whole)
  const events = (out: string): string[] =>
    out.split('\n').filter((line) => /^\{"kind":"(?!start|end)/.test(line))
  const one = events(runCommand(['--replay', second, '--json', '-q']).out)
  const { code, out, err } = runCommand(['--replay', first, '--replay', second, '--json', '-q'])
  assert.equal(code, 0, err)
  assert.match(err, /first" ends at byte/)
  assert.deepEqual(events(out), [...one, ...one])
  const end = out.trimEnd().split('\n').at(-1) ?? ''
  const { stats } = JSON.parse(end) as { stats: { insertions: number } }
  const single = runCommand(['--replay', second, '--json', '-q']).out.trimEnd().split('\n').at(-1) ?? ''
  const { stats: alone } = JSON.parse(single) as { stats: { insertions: number } }
  assert.equal(stats.insertions, 2 * alone.insertions)
})
