import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RecordingError } from '../errors.js'
import { jsonOf } from '../outputs.js'
import { Quark } from '../quark.js'

const INDEX = fileURLToPath(new URL('../index.js', import.meta.url))

/** Watches until it is killed, and reports each program that it saw 2.5 s ago. */
const SCRIPT = (path: string): string => `
  const { Quark } = await import(${JSON.stringify(INDEX)})
  const { spawn } = await import('node:child_process')
  const quark = await Quark.open({ record: ${JSON.stringify(path)}, holdMs: 10 })
  for await (const event of quark) {
    const { pid, argv = [] } = event.process ?? {}
    if (argv.includes('quark-killed-marker')) setTimeout(() => console.log(pid), 2500)
  }
`

test('of a recording that was killed, what came a second before is replayed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-killed-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'recording')
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT(path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const seen = new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (text: Buffer) => resolve(Number(String(text).trim().split('\n')[0])))
    child.once('exit', () => reject(new Error('the recorder ended')))
  })
  // Nobody knows when it has begun to watch.
  const markers = setInterval(() => spawn('/bin/true', ['quark-killed-marker']), 300)
  t.after(() => clearInterval(markers))
  const pid = await seen
  clearInterval(markers)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))

  const events: string[] = []
  await using quark = await Quark.replay(path)
  await assert.rejects(
    async () => {
      for await (const event of quark) events.push(jsonOf(event))
    },
    (error: unknown) => error instanceof RecordingError && error.isCutShort,
  )
  assert.ok(events.some((line) => line.includes('quark-killed-marker') && line.includes(`"pid":${pid}`)))
  // It is at its end.
  assert.equal(quark.isEnded, true)
  assert.deepEqual(await quark.batches().next(), { done: true, value: undefined })
})
