/** Files that are rotated under a run, FIFOs, and readers that do not read. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { COMMAND, Running } from './testing/command.js'

const SLOW = Number(process.env['TEST_SLOW'] ?? 1)
let markers = 0

function runMarked(): string {
  markers += 1
  const marker = `quark-mon-output-${process.pid}-${markers}`
  spawnSync('true', [marker])
  return marker
}

function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quark-mon-test-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

/** Makes marked processes until one is in the file. */
async function written(file: string): Promise<string> {
  for (;;) {
    const marker = runMarked()
    await sleep(150 * SLOW)
    if (
      statSync(file, { throwIfNoEntry: false }) !== undefined &&
      readFileSync(file, 'utf8').includes(marker)
    ) {
      return marker
    }
  }
}

/** How long a run takes from now to its end, which it must reach by itself. */
async function endOf(running: Running): Promise<number> {
  const begin = performance.now()
  await running.ended()
  return performance.now() - begin
}

test('a file that is emptied under a run has no hole, and each line of it is JSON', async (t) => {
  const file = join(temporaryDirectory(t), 'events')
  const running = new Running(['--json', '-s', '-q', '--hold=10', '-o', file])
  await written(file)
  truncateSync(file, 0)
  const marker = await written(file)
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).code, 0)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  for (const line of lines) JSON.parse(line)
  assert.ok(lines.some((line) => line.includes(marker)))
})

test('SIGHUP opens the output file again, and no event is lost between the two', async (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, 'events')
  const running = new Running(['--json', '-s', '-q', '--hold=500', '-o', file])
  await written(file)
  const held = runMarked()
  renameSync(file, join(folder, 'events.1'))
  running.child.kill('SIGHUP')
  const later = await written(file)
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).code, 0)
  const before = readFileSync(join(folder, 'events.1'), 'utf8')
  const after = readFileSync(file, 'utf8')
  assert.ok(after.includes(later) && !before.includes(later))
  assert.match(before, /^\{"kind":"start","time":"[^"]+","version"/)
  assert.match(after, /^\{"kind":"start","time":"[^"]+","continued":true,"version"/)
  assert.ok((before + after).includes(held))
})

test('SIGHUP without an output file ends it in good order, with what was held', async () => {
  const running = new Running(['--json', '--hold=3600000', `--ppid=${process.pid}`])
  await running.seen(/"kind":"snapshot"/)
  const marker = runMarked()
  await sleep(200 * SLOW)
  running.child.kill('SIGHUP')
  const { code, out, err } = await running.ended()
  assert.equal(code, 0, err)
  // Where the machine is so busy that the time at the end is too short, that is reported.
  assert.ok(out.includes(marker) || / that were held at the end are not written$/m.test(err), err)
  assert.match(err, / began in /)
})

/** The lines of a file and of those that it was before, oldest first. One that is renamed meanwhile may be missing. */
function linesOf(folder: string): string[] {
  const numbers = readdirSync(folder).map((name) => Number(name.split('.')[1] ?? 0))
  return numbers
    .sort((a, b) => b - a)
    .map((number) => join(folder, number === 0 ? 'events' : `events.${number}`))
    .flatMap((path) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []))
}

/** Makes marked processes until one is in one of the files. */
async function writtenIn(folder: string): Promise<string> {
  for (;;) {
    const marker = runMarked()
    await sleep(150 * SLOW)
    if (linesOf(folder).some((line) => line.includes(marker))) return marker
  }
}

const HALF = '{"kind":"proc'

test('with --rotate-size no file is larger and no line is split, also with SIGHUP and after SIGKILL', async (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, 'events')
  const args = ['--json', '-q', '--hold=10', '-o', file, '--rotate-size=64K', '--rotate-keep=1000']
  const killed = new Running(args)
  const first = await writtenIn(folder)
  killed.child.kill('SIGKILL')
  await killed.ended()
  // What a kill in the middle of a write leaves.
  appendFileSync(file, HALF)

  const running = new Running([...args, '--rotate-age=1h'])
  const second = await writtenIn(folder)
  running.child.kill('SIGHUP')
  const third = await writtenIn(folder)
  while (!existsSync(`${file}.1`)) await writtenIn(folder)
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).code, 0)

  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    // The half line may be too much for its file, and a single line may be longer.
    const isSmall = statSync(path).size <= (64 << 10) + HALF.length + 1
    const [head = '', ...rest] = readFileSync(path, 'utf8').trimEnd().split('\n')
    assert.match(head, /^\{"kind":"start",/)
    assert.ok(isSmall || rest.length === 1)
  }
  const lines = linesOf(folder)
  const broken = lines.filter((line) => !line.endsWith('}'))
  assert.equal(broken.length, 1)
  assert.ok(broken[0]?.endsWith(HALF))
  for (const line of lines) if (line !== broken[0]) JSON.parse(line)
  const positions = [first, second, third].map((marker) => lines.findIndex((line) => line.includes(marker)))
  assert.ok((positions[0] ?? -1) >= 0)
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
  )
})

test('with --rotate-age an old file is left, and another one is begun', async (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, 'events')
  const running = new Running(['--json', '-s', '-q', '--hold=10', '-o', file, '--rotate-age=1s'])
  const marker = await writtenIn(folder)
  while (!existsSync(`${file}.1`)) await writtenIn(folder)
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).code, 0)
  assert.ok(linesOf(folder).some((line) => line.includes(marker)))
})

/** An attack of nobody: a process with a long argv of control characters, which makes children that end at once. */
function attack(t: TestContext): void {
  const argument = '\x01'.repeat(64_000)
  const script = 'while :; do ( : ); done'
  const child = spawn('sh', ['-c', script, argument, argument], { stdio: 'ignore', uid: 65_534, gid: 65_534 })
  t.after(() => child.kill('SIGKILL'))
}

for (const format of ['--dump', '--json', '--ecs', '-M']) {
  test(`SIGTERM ends it soon under an attack, with ${format}`, async (t) => {
    attack(t)
    const args = format === '-M' ? ['-M'] : [format, '-o', join(temporaryDirectory(t), 'events')]
    for (let i = 0; i < 2; i++) {
      const running = new Running(['-v', ...args])
      await running.noted(/^quark-mon: backend /m)
      await sleep(1000)
      running.child.kill('SIGTERM')
      // What is aimed at is 200 ms, which bench/signals.mjs measures.
      assert.ok((await endOf(running)) < 3000 * SLOW)
      assert.equal((await running.ended()).code, 0)
    }
  })
}

test('a FIFO that nobody reads keeps neither SIGTERM nor --duration from ending it', async (t) => {
  const fifo = join(temporaryDirectory(t), 'fifo')
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
  const limited = new Running(['--json', '-q', '--duration=0.3', '-o', fifo])
  assert.ok((await endOf(limited)) < 5000 * SLOW)
  const stopped = new Running(['--json', '-q', '-o', fifo])
  await sleep(1000 * SLOW)
  stopped.child.kill('SIGTERM')
  assert.ok((await endOf(stopped)) < 1000 * SLOW)
})

test('a FIFO gets the events once somebody reads it', async (t) => {
  const fifo = join(temporaryDirectory(t), 'fifo')
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
  const running = new Running(['--json', '-q', '--count=2', '-o', fifo])
  const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  reader.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const read = new Promise((resolve) => reader.on('close', resolve))
  assert.equal((await running.ended()).code, 0)
  await read
  // The first and the last line are no events.
  assert.equal(text.trimEnd().split('\n').length, 4)
})

test('a reader that has stopped does not keep --duration from ending it, and is reported', async () => {
  const child = spawn(process.execPath, [COMMAND, '--json', '--duration=1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // The pipe has room for 64 KiB, and this end never reads.
  child.stdout.pause()
  const busy = setInterval(() => void spawnSync('true', ['x'.repeat(20_000)]), 20)
  const begin = performance.now()
  const code = await new Promise((resolve) => child.on('exit', resolve)).finally(() => clearInterval(busy))
  assert.ok(performance.now() - begin < 10_000 * SLOW)
  assert.equal(code, 1)
  assert.match(err, /Cannot write the output\n {2}because: nobody reads it: \d+ bytes are not written/)
  child.stdout.destroy()
})

test('standard output that is closed at the start is an error', () => {
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', '"$0" "$1" --json --count=1 >&-', process.execPath, COMMAND],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  assert.equal(status, 1)
  assert.match(stderr, /^quark-mon: Standard output is closed/)
})

test('standard output that the caller throws away is none that is closed', () => {
  for (const stderr of ['pipe', 'ignore'] as const) {
    const { status, output } = spawnSync(process.execPath, [COMMAND, '--json', '-q', '--count=1'], {
      stdio: ['ignore', 'ignore', stderr],
      encoding: 'utf8',
      timeout: 60_000,
    })
    assert.equal(status, 0, output?.[2] ?? '')
  }
  const closed = '"$0" "$1" --json -q --count=1 >&- 2>&-'
  assert.equal(spawnSync('sh', ['-c', closed, process.execPath, COMMAND], { timeout: 60_000 }).status, 1)
})

test('standard output that is closed is no error when nothing would be written to it', () => {
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', '"$0" "$1" -M --duration=0.1 >&-', process.execPath, COMMAND],
    { encoding: 'utf8', timeout: 60_000 },
  )
  assert.equal(status, 0, stderr)
})

test('a full disk is an error that names the file, and how many lines it costs', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [COMMAND, '--json', '--count=3', '-o', '/dev/full'],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  assert.equal(status, 1)
  assert.match(stderr, /^quark-mon: [2-5] lines are not written to \/dev\/full, or not whole$/m)
  assert.match(
    stderr,
    /^quark-mon: Cannot write the output\n {2}because: no space is left on the device \(ENOSPC/m,
  )
})

test('a reader that goes away ends it quietly', async () => {
  const child = spawn(process.execPath, [COMMAND, '--json', '-q', '--hold=10'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdout.destroy()
  const busy = setInterval(() => void spawnSync('true'), 50)
  const code = await new Promise((resolve) => child.on('close', resolve)).finally(() => clearInterval(busy))
  assert.deepEqual({ code, err }, { code: 0, err: '' })
})
