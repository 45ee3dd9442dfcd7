import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { recordingPath } from '../../recordings.js'
import { matchGolden } from '../../testing/golden.js'

test('a recording of a real run: what happened to files, and who opened one', async () => {
  const lines: string[] = []
  await using quark = await Quark.replay(recordingPath('files'))
  for await (const event of quark) {
    if (event.kind !== 'file' && event.kind !== 'fileAccess') continue
    const { process, parent: _parent, ...rest } = event.toJSON() as Record<string, { name?: string }>
    lines.push(`${JSON.stringify({ ...rest, process: process?.name })}\n`)
  }
  matchGolden('kinds/file/testdata/real.ndjson', lines.join(''))
  assert.equal(quark.stats().lost, 0)
})
