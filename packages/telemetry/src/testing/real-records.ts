/** Records that programs wrote for a real run: in `testdata/real.hex` of a kind, one a line. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { catalogue, type QuarkEvent } from '../kinds/index.js'
import { checkOptions } from '../options/check.js'
import { ManualClock } from '../pipeline/clock.js'
import { Quark } from '../quark.js'
import { recordingHeader } from '../recording/header.js'
import { RecordingWriter } from '../recording/writer.js'
import { FakeBackend } from './fake-backend.js'

const BOOT_EPOCH_NS = 1_700_000_000_000_000_000n
const TIME = 8

/** The events that a replay makes of the records of a kind, in their order. */
export async function eventsOfReal(kind: string): Promise<QuarkEvent[]> {
  const file = new URL(`../../src/kinds/${kind}/testdata/real.hex`, import.meta.url)
  const records = readFileSync(file, 'latin1')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'hex'))
  const path = join(mkdtempSync(join(tmpdir(), 'quark-real-')), 'recording')
  try {
    recordReal(path, records)
    const replay = await Quark.replay(path, { aggregation: 'none' })
    const events: QuarkEvent[] = []
    for await (const event of replay) events.push(event)
    await replay.close()
    return events
  } finally {
    rmSync(dirname(path), { recursive: true })
  }
}

/** Writes a recording of records, in the order of their times. */
export function recordReal(path: string, records: readonly Buffer[]): void {
  const settings = checkOptions(catalogue.options, {})
  const clock = new ManualClock({ bootNs: 5n, bootEpochNs: BOOT_EPOCH_NS })
  const backend = new FakeBackend()
  const header = recordingHeader({ catalogue, settings, clock, kernel: '6.18.0', backend })
  const writer = new RecordingWriter(path, header, true)
  const lastNs = Number(records.at(-1)?.readBigUInt64LE(TIME) ?? 0n)
  for (const [index, bytes] of records.entries()) {
    // The numbers of lanes begin anew: what others did in between is not there.
    bytes.writeUInt16LE(0, 2)
    bytes.writeUInt32LE(index + 1, 4)
    writer.record(bytes, 0, bytes.length)
  }
  writer.step(lastNs + 1)
  writer.end(lastNs + 2)
  writer[Symbol.dispose]()
}
