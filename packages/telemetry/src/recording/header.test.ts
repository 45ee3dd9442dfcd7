import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { catalogueOf } from '../kinds/catalogue.js'
import { kinds } from '../kinds/index.js'
import { bareKind } from '../kinds/testing/bare-kind.js'
import { checkOptions } from '../options/check.js'
import type { OptionSpecs } from '../options/spec.js'
import { ManualClock } from '../pipeline/clock.js'
import { FakeBackend } from '../testing/fake-backend.js'
import { recordingHeader, replayPlan } from './header.js'
import { openRecording } from './file.js'
import { RecordingWriter } from './writer.js'

const options = {
  toyMs: { type: 'ms', default: 5, min: 0, max: 10, isRecorded: true },
  toys: { type: 'flag', default: false },
} as const satisfies OptionSpecs

test('a recording keeps the recorded options of a kind, and a replay uses them unless it is given others', (t) => {
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
    using reader = openRecording(path)
    const { toyMs, toys, holdMs } = replayPlan(catalogue, reader, given).settings as ReturnType<
      typeof checkOptions<typeof catalogue.options>
    >
    return { toyMs, toys, holdMs }
  }
  assert.deepEqual(settingsOf({}), { toyMs: 7, toys: false, holdMs: 20 })
  assert.deepEqual(settingsOf({ toyMs: 3 }), { toyMs: 3, toys: false, holdMs: 20 })
})
