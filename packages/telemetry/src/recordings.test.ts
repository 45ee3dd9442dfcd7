import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quark } from './quark.js'
import { recordingPath, type RecordingName } from './recordings.js'

const KINDS: Readonly<Record<RecordingName, readonly string[]>> = {
  processes: ['process'],
  files: ['file', 'fileAccess', 'process'],
  names: ['connection', 'dns', 'process'],
}

for (const [name, kinds] of Object.entries(KINDS) as [RecordingName, readonly string[]][]) {
  test(`the recording "${name}" has events of the kinds that are said, and nothing was lost`, async () => {
    const found = new Set<string>()
    await using quark = await Quark.replay(recordingPath(name))
    for await (const { kind } of quark) found.add(kind)
    assert.deepEqual(
      [...found].sort().filter((kind) => kinds.includes(kind)),
      kinds,
    )
    assert.equal(quark.stats().lost, 0)
  })
}

test('the recording of processes has what the example programs of tests look for', async () => {
  const endings = new Set<string>()
  await using quark = await Quark.replay(recordingPath('processes'))
  for await (const event of quark) {
    if (event.kind !== 'process' || !event.actions.includes('exit')) continue
    const { exitCode, exitSignal } = event.process
    endings.add(exitSignal !== undefined && exitSignal !== 0 ? 'killed' : exitCode === 0 ? 'ok' : 'failed')
  }
  assert.deepEqual([...endings].sort(), ['failed', 'killed', 'ok'])
})

test('a recording that is not there is refused with the names of those that are', () => {
  assert.throws(() => recordingPath('toString' as RecordingName), {
    name: 'RangeError',
    message: 'No recording "toString": there are processes, files, names',
  })
})
