import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const QUARK_MON = fileURLToPath(new URL('../bin/quark-mon.cjs', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'quark-mon-rules-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function rulesFile(text: string): string {
  const path = join(directory, 'test.rules')
  writeFileSync(path, text)
  return path
}

function quarkMon(args: readonly string[], input = ''): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [QUARK_MON, ...args], {
    encoding: 'utf8',
    input,
  })
  return { status, out: stdout, err: stderr }
}

test('rules check, explain and test', () => {
  const path = rulesFile(
    'drop on process.comm sleep\ntest "sleep" drop on process.comm sleep\ntest "wrong" drop on process.comm cat\n',
  )
  assert.deepEqual(quarkMon(['rules', 'check', path]), {
    status: 0,
    out: `${path}: 1 rules, 2 tests\n`,
    err: '',
  })
  const explained = quarkMon(['rules', 'explain', path])
  assert.match(
    explained.out,
    /^1: drop on process\.comm sleep\n {4}kernel: .* getpid events .*\n {8}process\.comm: kernel: /,
  )
  assert.equal(quarkMon(['rules', 'check', '--live', '1', path]).status, 2)
  const live = quarkMon(['rules', 'explain', '--live', '500ms', path])
  assert.equal(live.status, 0, live.err)
  assert.match(
    live.out,
    /\n {4}asked \d+, matched \d+, of which the kernel left out \d+\ndecided by programs with the map/,
  )
  const tested = quarkMon(['rules', 'test', path])
  assert.equal(tested.status, 1)
  assert.equal(tested.out, `${path}:3: wrong: wanted drop, got none\n1 passed, 1 failed\n`)
  assert.match(quarkMon(['rules', 'fields']).out, /^process\.pid +number +pid\n/)
})

test('everything that is wrong is said, at its place', () => {
  const path = rulesFile('drpo on any\ndrop on process.exee x\n')
  const { status, err } = quarkMon(['rules', 'check', path])
  assert.equal(status, 1)
  assert.equal(
    err,
    `${path}:1:1: there is no action "drpo": did you mean "drop"?\n` +
      `${path}:2:9: there is no field "process.exee": did you mean "process.exe"?\n`,
  )
  assert.equal(quarkMon(['rules', 'check', '-'], 'drop on any').status, 0)
  assert.equal(quarkMon(['rules', 'chekc', path]).status, 2)
  assert.equal(quarkMon(['rules']).status, 2)
  assert.equal(quarkMon(['rules', 'check']).status, 2)
  assert.equal(quarkMon(['-r', join(directory, 'none')]).status, 1)
})

test('a run is decided by rules; what is to fail does', () => {
  const path = rulesFile(
    'fail on process.arg bad-marker\nwarn on process.arg odd-marker\ndrop on process.comm true\n',
  )
  const script = '/bin/echo bad-marker; /bin/echo odd-marker; /bin/true'
  const run = quarkMon(['--json', '-r', path, '--', '/bin/sh', '-c', script])
  assert.equal(run.status, 4, run.err)
  assert.match(run.err, /test\.rules:1: fail on process\.arg bad-marker: once/)
  assert.match(run.err, /test\.rules:2: warn on process\.arg odd-marker: once/)
  assert.match(run.out, /odd-marker/)
  assert.ok(!run.out.includes('"comm":"true"'))
})
