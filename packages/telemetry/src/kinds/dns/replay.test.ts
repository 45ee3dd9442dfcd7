import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { recordingPath } from '../../recordings.js'
import { matchGolden } from '../../testing/golden.js'

test('a recording of a real run: names that were looked up, and connections to them', async () => {
  const lines: string[] = []
  const names: unknown[] = []
  await using quark = await Quark.replay(recordingPath('names'))
  for await (const event of quark) {
    if (event.kind === 'dns') {
      const { process, parent: _parent, ...rest } = event.toJSON() as Record<string, { name?: string }>
      lines.push(`${JSON.stringify({ ...rest, process: process?.name })}\n`)
    }
    if (event.kind !== 'connection') continue
    const { remoteIp, remotePort, remoteName, remoteNameSource } = event
    names.push([remoteIp, remotePort, remoteName, remoteNameSource])
  }
  matchGolden('kinds/dns/testdata/real.ndjson', lines.join(''))
  assert.deepEqual(names, [
    ['127.5.3.1', 53, undefined, undefined],
    ['127.5.0.9', 443, 'web.test', 'dns'],
    ['127.5.0.9', 443, 'github.com', 'tls'],
  ])
  assert.equal(quark.stats().lost, 0)
})
