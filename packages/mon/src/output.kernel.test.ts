/** Files that are rotated under a run, FIFOs, and readers that do not read. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
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
  assert.ok((before + after).includes(held))
})

test('SIGHUP without an output file ends it in good order, with what was held', async () => {
  const running = new Running(['--json', '--hold=3600000'])
  await running.seen(/"kind":"snapshot"/)
  const marker = runMarked()
  await sleep(200 * SLOW)
  running.child.kill('SIGHUP')
  const { code, out, err } = await running.ended()
  assert.equal(code, 0, err)
  assert.ok(out.includes(marker))
  assert.match(err, /insertions/)
})

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
  assert.equal(text.trimEnd().split('\n').length, 2)
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
