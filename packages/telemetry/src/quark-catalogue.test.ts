import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeRecord, record, u32 } from 'quark-ebpf/probe'
import type { BaseEvent } from './event/event.js'
import type { EventSpec } from './event/spec.js'
import { catalogueOf } from './kinds/catalogue.js'
import { kinds } from './kinds/index.js'
import { bareKind } from './kinds/testing/bare-kind.js'
import { checkOptions } from './options/check.js'
import type { OptionSpecs } from './options/spec.js'
import { ManualClock } from './pipeline/clock.js'
import { openQuark, replayQuark } from './quark.js'
import { recordingHeader } from './recording/header.js'
import { RecordingWriter } from './recording/writer.js'
import { FakeBackend } from './testing/fake-backend.js'

const TYPE = 30
const MS = 1_000_000

const toyLayout = record(TYPE, 'toy', { pid: u32, size: u32 })
const SIZE = toyLayout.at.size >> 2

interface ToyEvent extends BaseEvent {
  readonly kind: 'toy'
  readonly size: number
  readonly process: undefined
}

const toySpec: EventSpec<ToyEvent> = {
  kind: 'toy',
  doc: 'Somebody played',
  subject: () => 0,
  fields: { size: { type: 'number', doc: 'With how many' } },
}

const toyKind = bareKind('toy', 200, {
  options: { toys: { type: 'flag', default: false } } as const satisfies OptionSpecs,
  events: [toySpec as EventSpec],
  records: [
    {
      name: 'toy',
      layout: toyLayout,
      apply: (group): ToyEvent | undefined =>
        group.next()
          ? {
              kind: 'toy',
              timeNs: 0n,
              size: group.words[(group.offsetBytes >> 2) + SIZE] as number,
              process: undefined,
            }
          : undefined,
    },
  ],
})

const catalogue = catalogueOf([...kinds, toyKind] as const)

test('replayQuark() delivers the events of the kinds that it is given, and counts their records by name', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-catalogue-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'recording')
  const header = recordingHeader({
    catalogue,
    settings: checkOptions(catalogue.options, {}),
    clock: new ManualClock({ bootNs: 5n, bootEpochNs: 1_700_000_000_000_000_000n }),
    kernel: '6.18.0',
    backend: new FakeBackend(),
  })
  const writer = new RecordingWriter(path, header)
  const bytes = encodeRecord(toyLayout, { cpu: 0, seq: 1, timeNs: BigInt(MS) }, { pid: 7, size: 42 })
  writer.record(bytes, 0, bytes.length)
  writer.step(2 * MS)
  writer.end(3 * MS)
  writer[Symbol.dispose]()

  const quark = await replayQuark(catalogue, path, {})
  const events: BaseEvent[] = []
  for await (const event of quark) events.push(event)
  assert.deepEqual(
    events.map((event) => ({ ...event })),
    [{ kind: 'toy', timeNs: 0n, size: 42, process: undefined }],
  )
  assert.equal(quark.stats().produced['toy'], 1)
  await quark.close()
})

test('openQuark() knows the options of the kinds that it is given, and no others', async () => {
  await assert.rejects(
    openQuark(catalogue, { toys: 1 }),
    /^OptionError: Option "toys" must be true or false: 1$/,
  )
  await assert.rejects(openQuark(catalogueOf(kinds), { toys: true }), /Unknown option "toys"/)
})
