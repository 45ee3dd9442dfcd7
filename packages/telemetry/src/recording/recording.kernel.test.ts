import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readHost } from '../context/host.js'
import { RecordingError } from '../errors.js'
import type { QuarkOptions } from '../kinds/index.js'
import { jsonOf } from '../outputs.js'
import { Quark } from '../quark.js'

const run = promisify(execFile)

/** What a shell does: short processes, one that a signal ends, one that goes on, changes of ids and names. */
const SCRIPT = `
true | /bin/ls -d /nonexistent
setsid true
sh -c 'kill -9 $$'
i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done
( cd /tmp; exec sh -c 'printf renamed > /proc/self/comm; true' )
sleep 0.3
`

/** Runs the script under a queue that records, and returns the events as they came. */
async function live(path: string, options: QuarkOptions): Promise<string[]> {
  const ending = new AbortController()
  const quark = await Quark.open({ ...options, record: path, signal: ending.signal })
  try {
    const events: string[] = []
    void run('/bin/sh', ['-c', SCRIPT])
      .catch(() => undefined)
      .then(() => setTimeout(() => ending.abort(), 200))
    for await (const event of quark) events.push(jsonOf(event))
    return events
  } finally {
    await quark.close()
  }
}

async function replayed(path: string): Promise<string[]> {
  const quark = await Quark.replay(path)
  try {
    assert.deepEqual(quark.host, readHost())
    const events: string[] = []
    for await (const event of quark) events.push(jsonOf(event))
    return events
  } finally {
    await quark.close()
  }
}

const CASES: { name: string; options: QuarkOptions }[] = [
  { name: 'the defaults', options: {} },
  { name: 'a snapshot, threads and usage', options: { snapshot: true, threads: true, usage: true } },
  { name: 'hardly any holding', options: { holdMs: 10, pollMs: 5 } },
  {
    name: 'no aggregation, and a ring that overflows',
    options: { aggregation: 'none', ringSizeBytes: 4096 },
  },
]

for (const { name, options } of CASES) {
  test(`a replay delivers the events of the live run: ${name}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quark-'))
    try {
      const path = join(directory, 'recording')
      const events = await live(path, options)
      assert.ok(events.length > 100, `only ${events.length} events`)
      assert.deepEqual(await replayed(path), events)
      // Twice, since a replay changes nothing either.
      assert.deepEqual(await replayed(path), events)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
}

test('a recording that was cut or damaged says where, after the events before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-'))
  try {
    const path = join(directory, 'recording')
    // Held so shortly that most was delivered before what is cut off.
    const events = await live(path, { holdMs: 10 })
    const bytes = readFileSync(path)
    const cut = join(directory, 'cut')
    writeFileSync(cut, bytes.subarray(0, bytes.length - 100))
    const got: string[] = []
    await assert.rejects(
      async () => {
        const quark = await Quark.replay(cut)
        for await (const event of quark) got.push(jsonOf(event))
      },
      (error: unknown) =>
        error instanceof RecordingError && /cut short/.test(error.message) && error.offset > 0,
    )
    // What was held at the cut comes without what was to join it.
    const differs = got.findIndex((line, i) => line !== events[i])
    assert.ok(differs === -1 || differs > events.length / 2, `event ${differs} of ${events.length} differs`)
    const damaged = join(directory, 'damaged')
    const broken = Buffer.from(bytes)
    broken.writeUInt8(broken.readUInt8(bytes.length >> 1) ^ 0xff, bytes.length >> 1)
    writeFileSync(damaged, broken)
    await assert.rejects(replayed(damaged), /checksum|cut short|claims|broken JSON/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
