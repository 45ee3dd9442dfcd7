import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeRecord } from 'quark-ebpf/probe'
import { catalogueOf } from '../kinds/catalogue.js'
import { kinds } from '../kinds/index.js'
import { bareKind } from '../kinds/testing/bare-kind.js'
import { checkOptions } from '../options/check.js'
import type { OptionSpecs } from '../options/spec.js'
import { ManualClock } from '../pipeline/clock.js'
import { FakeBackend } from '../testing/fake-backend.js'
import { record } from '../testing/process-records.js'
import { recordingHeader, replaySettings } from './header.js'
import { RecordingReader } from './reader.js'
import { RecordingWriter } from './writer.js'

const options = {
  toyMs: { type: 'ms', default: 5, min: 0, max: 10, isRecorded: true },
  toys: { type: 'flag', default: false },
} as const satisfies OptionSpecs

test('a recording keeps the options of a kind that say so, and a replay uses them unless it is given others', (t) => {
  const catalogue = catalogueOf([...kinds, bareKind('toy', 200, { options })] as const)
  const header = recordingHeader({
    catalogue,
    settings: checkOptions(catalogue.options, { toyMs: 7, toys: true, holdMs: 20 }),
    clock: new ManualClock({ bootNs: 5n, bootEpochNs: 1_700_000_000_000_000_000n }),
    kernel: '6.18.0',
    backend: new FakeBackend(),
  })
  assert.equal(header.options['toyMs'], 7)
  assert.equal('toys' in header.options, false)

  const directory = mkdtempSync(join(tmpdir(), 'quark-header-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'recording')
  new RecordingWriter(path, header)[Symbol.dispose]()
  const settingsOf = (given: object): object => {
    using reader = new RecordingReader(path)
    const { toyMs, toys, holdMs } = replaySettings(catalogue, reader, given) as ReturnType<
      typeof checkOptions<typeof catalogue.options>
    >
    return { toyMs, toys, holdMs }
  }
  assert.deepEqual(settingsOf({}), { toyMs: 7, toys: false, holdMs: 20 })
  assert.deepEqual(settingsOf({ toyMs: 3 }), { toyMs: 3, toys: false, holdMs: 20 })
})

test('records that had another number in 0.1.0 are shown with the number of today', (t) => {
  const bytes = record('cgroupMkdir', 1, { id: 5n, hierarchy: 0, path: '/a' })
  const { recordTypes } = catalogueOf(kinds)
  const { layout, formerType } = recordTypes.find(({ name }) => name === 'cgroupMkdir') ?? assert.fail()
  assert.equal(formerType, 6)
  const header = recordingHeader({
    catalogue: catalogueOf(kinds),
    settings: checkOptions(catalogueOf(kinds).options, {}),
    clock: new ManualClock({ bootNs: 5n, bootEpochNs: 1_700_000_000_000_000_000n }),
    kernel: '6.18.0',
    backend: new FakeBackend(),
  })
  const layouts = header.layouts.map((text) =>
    text
      .replace(/^cgroupMkdir \(type 257,/, 'quark_cgmkdir (type 6,')
      .replace(/^cgroupRename \(type 258,/, 'quark_cgrename (type 7,'),
  )
  const directory = mkdtempSync(join(tmpdir(), 'quark-header-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'recording')
  const writer = new RecordingWriter(path, { ...header, layouts })
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(0, 6, true)
  writer.record(bytes, 0, bytes.length)
  writer.step(10)
  writer[Symbol.dispose]()
  using reader = new RecordingReader(path)
  replaySettings(catalogueOf(kinds), reader, {})
  const frame = reader.next() ?? assert.fail()
  const found: unknown[] = []
  reader.records(frame, (_words, all, at, length) => {
    found.push(decodeRecord(layout, all.subarray(at, at + length)))
  })
  assert.deepEqual(found, [{ type: 257, cpu: 0, seq: 0, timeNs: 1n, id: 5n, hierarchy: 0, path: '/a' }])
})
