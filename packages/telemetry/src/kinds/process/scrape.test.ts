import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeRecord, encodeRecord } from 'quark-ebpf/probe'
import type { Walk } from '../../facts/rungs.js'
import { checkOptions } from '../../options/check.js'
import { ManualClock } from '../../pipeline/clock.js'
import { HAS_EXACT_START } from '../../process/known.js'
import { readLogin } from '../../process/procfs/login.js'
import { scrapeProcess } from '../../process/procfs/scan.js'
import { catalogue } from '../index.js'
import { olderLayout, snapshotLayout } from './records.js'
import { scanRecords } from './scrape.js'

const settings = checkOptions(catalogue.options, {})
const NS_PER_TICK = 10_000_000n

/** The start of this process in the record of a scan, and whether it is exact. */
function scannedStart(walk: Walk): [bigint, boolean] {
  for (const bytes of scanRecords({ settings, hierarchy: undefined }, new ManualClock(), walk)) {
    const { pid, startBootNs, known, loginUid1 } = decodeRecord(snapshotLayout, bytes)
    if (pid !== process.pid) continue
    const isExact = (known & HAS_EXACT_START) !== 0
    // It is of the same process as the start, or is read in /proc.
    assert.equal(loginUid1, isExact ? 4712 : readLogin(pid).loginUid1)
    return [startBootNs, isExact]
  }
  throw new Error('the scan did not find this process')
}

test('a scan has exact starts of an iterator, unless they are those of another process', () => {
  const cut = scrapeProcess(process.pid, {
    maxArgvBytes: 0,
    maxEnvBytes: 0,
    hierarchy: 'unified',
  })?.startBootNs
  assert.ok(cut !== undefined)
  const reports =
    (startBootNs: bigint): Walk =>
    (fact, sink) => {
      assert.equal(fact, 'exactStarts')
      const bytes = encodeRecord(
        olderLayout,
        { cpu: 0, seq: 0, timeNs: 0n },
        { pid: process.pid, startBootNs, loginUid1: 4712, auditSession1: 3 },
      )
      const padded = Buffer.alloc(bytes.length + 8)
      padded.set(bytes, 8)
      sink.record(new Uint32Array(padded.buffer, padded.byteOffset), padded, 8, bytes.length)
      return true
    }
  assert.deepEqual(scannedStart(reports(cut + 1_234_567n)), [cut + 1_234_567n, true])
  assert.deepEqual(scannedStart(reports(cut + NS_PER_TICK)), [cut, false])
  assert.deepEqual(scannedStart(reports(cut - 1n)), [cut, false])
  assert.deepEqual(
    scannedStart(() => false),
    [cut, false],
  )
})
