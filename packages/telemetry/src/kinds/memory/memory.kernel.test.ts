import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import { test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'

const PROGRAM = new URL('testing/situation.js', import.meta.url)

test('memory that a process makes executable, once by each sort', { timeout: 120_000 }, async (t) => {
  const watched = await watchActivity(t, { executableMemory: true }, 'executableMemory', () =>
    runActivity(PROGRAM),
  )
  const { facts, events } = watched
  const { pid, segment, attached } = facts
  const maps = facts['maps'] as Record<string, number>
  const [done, again, undone, refused, keyed] = facts['results'] as number[]
  assert.deepEqual([done, again, undone, refused], [0, 0, 0, -22])
  const at = (address: unknown): object => ({ pid, address: BigInt(Number(address)) })
  const bytes = { sizeBytes: 4096 }
  const all = activitiesOf(events, 'executableMemory', pid)
  // Node itself makes memory executable: by which calls depends on its version, and what it did first is reported.
  const addresses = new Set([facts['protected'], ...Object.values(maps), attached].map(Number))
  const seen = all.filter(({ address }) => addresses.has(Number(address)))
  const sorts = all.map(({ call, writable = false }) => `${String(call)} ${String(writable)}`)
  assert.ok(sorts.includes('mprotect false') && sorts.includes('mmap false'))
  const expected = [
    { ...at(facts['protected']), call: 'mprotect', ...bytes },
    ...(keyed === 0 ? [{ ...at(facts['protected']), call: 'pkey_mprotect', writable: true, ...bytes }] : []),
    { ...at(maps['anonymous']), call: 'mmap', ...bytes },
    {
      ...at(maps['writableFile']),
      call: 'mmap',
      writable: true,
      ...bytes,
      file: realpathSync(String(facts['program'])),
    },
    { ...at(maps['nameless']), call: 'mmap', ...bytes, file: 'memfd:code' },
    { ...at(attached), call: 'shmat', writable: true, segment },
  ]
  const own = new Set(all.filter((event) => !seen.includes(event)).map(sortOf))
  assert.deepEqual(
    seen,
    expected.filter((event) => !own.has(sortOf(event))),
  )
})

test('memory that only the personality of the process makes executable', { timeout: 120_000 }, async (t) => {
  const program = new URL('testing/implied.js', import.meta.url)
  const watched = await watchActivity(t, { executableMemory: true }, 'executableMemory', () =>
    runActivity(program),
  )
  const { pid, address } = watched.facts
  const seen = activitiesOf(watched.events, 'executableMemory', pid)
  assert.deepEqual(
    seen.filter((event) => Number(event['address']) === address),
    [
      {
        pid,
        address: BigInt(Number(address)),
        call: 'mmap',
        implied: true,
        sizeBytes: 4096,
        file: 'memfd:data',
      },
    ],
  )
})

function sortOf({ call, writable = false, file }: Record<string, unknown>): string {
  return [call, writable, String(file).startsWith('memfd:')].join(' ')
}
