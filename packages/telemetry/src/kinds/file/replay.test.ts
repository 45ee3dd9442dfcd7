import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Quark } from '../../quark.js'
import { matchGolden } from '../../testing/golden.js'

/** A shell that creates, moves, links, changes and removes files, and reads one that is watched for that. */
const RECORDING = new URL('../../../src/kinds/file/testdata/real.quarkrec', import.meta.url)

test('a recording of a real run: what happened to files, and who opened one', async () => {
  const lines: string[] = []
  await using quark = await Quark.replay(fileURLToPath(RECORDING))
  for await (const event of quark) {
    if (event.kind !== 'file' && event.kind !== 'fileAccess') continue
    const { process, parent: _parent, ...rest } = event.toJSON() as Record<string, { name?: string }>
    lines.push(`${JSON.stringify({ ...rest, process: process?.name })}\n`)
  }
  matchGolden('kinds/file/testdata/real.ndjson', lines.join(''))
  assert.equal(quark.stats().lost, 0)
})
