import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { BufferedRecord, QuarkEvent, QuarkStats } from 'quark-telemetry'
import { FakeIo, statsOf } from '../testing/fakes.js'
import { drawBuffer } from './buffer-graph.js'

/** A buffer that gets two records each time it is waited for. */
class FilledByTwo {
  readonly #records: BufferedRecord[] = []
  readonly #onWait: (count: number) => void

  constructor(onWait: (count: number) => void = () => {}) {
    this.#onWait = onWait
  }

  poll(): readonly QuarkEvent[] {
    return []
  }

  async wait(): Promise<void> {
    for (const type of ['fork', 'exec'])
      this.#records.push({ pid: 7, timeNs: BigInt(this.#records.length), type })
    this.#onWait(this.#records.length)
  }

  stats(): QuarkStats {
    return statsOf({ buffered: this.#records.length })
  }

  bufferedRecords(): BufferedRecord[] {
    return this.#records
  }
}

async function nodesOf(quark: FilledByTwo, count: number, io: FakeIo): Promise<(number | undefined)[]> {
  const directory = mkdtempSync(join(tmpdir(), 'quark-mon-test-'))
  const paths = ['a', 'b'].map((name) => join(directory, name))
  const files = paths.map((path) => openSync(path, 'w'))
  try {
    await drawBuffer(quark, count, files, io)
    return paths.map((path) => readFileSync(path, 'utf8').match(/label=/g)?.length)
  } finally {
    files.forEach(closeSync)
    rmSync(directory, { recursive: true })
  }
}

test('drawBuffer() waits for as many records as asked, and draws no more', async () => {
  const io = new FakeIo()
  assert.deepEqual(await nodesOf(new FilledByTwo(), 5, io), [5, 5])
  assert.equal(io.notes, '')
})

test('drawBuffer() draws what there is when the run ends before, and reports it', async () => {
  const io = new FakeIo()
  const quark = new FilledByTwo((count) => {
    if (count === 4) io.ending.abort()
  })
  assert.deepEqual(await nodesOf(quark, 9, io), [4, 4])
  assert.equal(io.notes, 'quark-mon: drew 4 records, as the run ended before 9 came\n')
})
