import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Running } from './testing/command.js'

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
    maxBuffer: 1 << 26,
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

for (const [what, reason] of [
  ['map', /\ndecided not by programs: .*quark_left_out.*EINVAL/],
  ['programs', /\ndecided not by programs: .*verifier/i],
] as const) {
  test(`where the kernel refuses the ${what} with which rules are decided, user space decides, and explain says why`, () => {
    const path = rulesFile('drop on process.pid 1 event.kind getpid\n')
    const faults = new URL('../../telemetry/dist/testing/faults.js', import.meta.url).href
    // On a quiet machine nothing else happens.
    const busy = `import { spawn } from 'node:child_process'; setInterval(() => spawn('sh', ['-c', ':']), 100).unref()`
    const refusing = `${busy}; import { refuse } from '${faults}'; refuse('${what}', 'quark_left_out')`
    const preload = `data:text/javascript,${encodeURIComponent(refusing)}`
    const args = ['--import', preload, QUARK_MON, 'rules', 'explain', '--live', '2s', path]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.match(stdout, /\n {4}asked [1-9]\d*, matched \d+, of which the kernel left out 0\n/)
    assert.match(stdout, reason)
    assert.doesNotMatch(stdout, /decided by programs/)
    assert.ok(
      stdout.split('\n').every((line) => line.length < 1000),
      stdout,
    )
  })
}

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

test('junk in place of rules is refused, however long it is, with some of its problems', () => {
  const path = join(directory, 'junk.rules')
  const junk = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 2_654_435_761) >>> 24))
  for (const [what, bytes] of [
    ['binary', junk],
    ['an endless line', Buffer.alloc(17 << 20, 'x')],
    ['NUL bytes', Buffer.alloc(1 << 20)],
    ['a line of many words', Buffer.from(`drop on ${'process.pid 7 '.repeat(200_000)}\n`)],
  ] as const) {
    writeFileSync(path, bytes)
    const { status, err } = quarkMon(['rules', 'check', path])
    assert.equal(status, 1, what)
    assert.ok(err.length > 0 && err.length < 1 << 16, `${what}: ${err.length}`)
    assert.match(err, /junk\.rules:\d+:\d+: /, what)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(err, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, what)
  }
  const device = quarkMon(['rules', 'check', '/dev/zero'])
  assert.equal(device.status, 1)
  assert.match(device.err, /the rules have more than 16777216 characters/)
})

test('ten thousand rules are checked, explained, warned of, and decide', () => {
  const path = join(directory, 'many.rules')
  const rules = Array.from({ length: 10_000 }, (_, i) => `drop on process.arg marker-${i} process.comm echo`)
  writeFileSync(
    path,
    [...rules, 'drop on socket.port 1..10', 'drop on process.arg marker-5 process.comm echo', ''].join('\n'),
  )
  const { err } = quarkMon(['rules', 'check', path])
  assert.match(err, /many\.rules:10002: this rule never decides: the one in line 6 asks for the same/)
  assert.equal(quarkMon(['rules', 'explain', path]).out.match(/^\d+: /gm)?.length, 10_002)
  const script = '/bin/echo marker-9999; /bin/echo other-9999'
  const run = quarkMon(['--json', '-r', path, '--', '/bin/sh', '-c', script])
  assert.equal(run.status, 0, run.err)
  const shown = run.err + run.out
  assert.match(shown, /"other-9999"/)
  assert.doesNotMatch(shown, /"\/bin\/echo","marker-9999"/)
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

test('what a recording cannot answer, as its secrets are replaced, is said', () => {
  const recording = join(directory, 'secrets.quark')
  const secret = `ghp_${'aB3dE5gH7j'.repeat(4).slice(0, 36)}`
  const file = join(directory, secret)
  const script = `/bin/echo --password=${secret}; : > ${file}`
  const files = `--file=${directory}`
  const made = quarkMon(['-q', files, '--record', recording, '--', '/bin/sh', '-c', script])
  assert.equal(made.status, 0, made.err)
  const rules = rulesFile(`fail on process.arg --password=${secret}\n`)
  const run = quarkMon(['--json', '-r', rules, '--path', file, '--replay', recording])
  assert.match(
    run.err,
    /test\.rules:1: fail on process\.arg .*: not decided (once|\d+ times), as secrets are replaced/,
  )
  assert.match(run.err, /\d+ events were left out that filters might have let pass: secrets of their paths/)
  assert.equal(run.status, 0)
})

/** Runs a program with a marker until events of it are in a file; false if that does not come. */
async function isShown(path: string, marker: string): Promise<boolean> {
  // Opening takes half a minute in a guest.
  for (let tries = 0; tries < 400; tries++) {
    spawnSync('/bin/echo', [marker])
    await sleep(150)
    if (existsSync(path) && readFileSync(path, 'utf8').includes(marker)) return true
  }
  return false
}

test('SIGHUP has the file of rules read again, and the output file opened again; what is wrong leaves the rules as they are', async () => {
  const rules = join(directory, 'again.rules')
  const output = join(directory, 'events')
  writeFileSync(rules, 'drop on process.arg marker-a\nwarn on process.arg marker-w\n')
  const running = new Running(['--json', '-s', '--hold=20', '-r', rules, '-o', output])
  assert.ok(await isShown(output, 'marker-b'))
  assert.ok(await isShown(output, 'marker-w'))
  spawnSync('/bin/echo', ['marker-a'])
  writeFileSync(rules, 'drop on process.arg marker-b\nfail on process.arg marker-f\n')
  renameSync(output, join(directory, 'events.1'))
  running.child.kill('SIGHUP')
  await running.noted(/again\.rules is read again: 2 rules decide from now on/)
  assert.ok(await isShown(output, 'marker-a'), 'other rules, in another file')
  assert.ok(!readFileSync(join(directory, 'events.1'), 'utf8').includes('marker-a'))
  spawnSync('/bin/echo', ['marker-b'])
  writeFileSync(rules, 'drop on process.arg marker-a\ndrpo on any\n')
  running.child.kill('SIGHUP')
  await running.noted(/goes on with the rules that it has\n.*again\.rules:2:1: there is no action "drpo"/)
  rmSync(rules)
  running.child.kill('SIGHUP')
  await running.noted(/goes on with the rules that it has\n.*ENOENT/)
  assert.ok(await isShown(output, 'marker-a c'), 'the rules are those that were right')
  spawnSync('/bin/echo', ['marker-f'])
  assert.ok(await isShown(output, 'marker-z'))
  running.child.kill('SIGTERM')
  const { code, err } = await running.ended()
  assert.ok(!readFileSync(output, 'utf8').includes('marker-b'))
  // Both sets of rules have found something.
  assert.match(err, /again\.rules:2: warn on process\.arg marker-w: /)
  assert.match(err, /again\.rules:2: fail on process\.arg marker-f: (once|\d+ times)/)
  assert.equal(code, 4)
})

test('SIGHUP without an output file has the rules of a command read again, and does not reach the command', async () => {
  const rules = join(directory, 'command.rules')
  writeFileSync(rules, 'drop on any\n')
  const running = new Running(
    ['--json', '-r', rules, '--', 'sh', '-c', 'echo up; read -r line; exit 3'],
    undefined,
    'pipe',
  )
  await running.seen(/up/)
  running.child.kill('SIGHUP')
  await running.noted(/command\.rules is read again: 1 rule decides/)
  running.child.stdin?.end('line\n')
  const { code, signal } = await running.ended()
  assert.deepEqual([code, signal], [3, null])
})
