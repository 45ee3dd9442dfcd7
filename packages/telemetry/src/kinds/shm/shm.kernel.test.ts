import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'

const PROGRAM = new URL('testing/situation.js', import.meta.url)

test('shared memory that a process makes, finds, attaches and opens', { timeout: 120_000 }, async (t) => {
  const { facts, events } = await watchActivity(t, { sharedMemory: true }, 'sharedMemory', () =>
    runActivity(PROGRAM),
  )
  const { pid, key, made, own, results, mapped, refused, path } = facts
  assert.deepEqual(results, [made, made, -17, -2])
  assert.equal(refused, -22)
  const shmget = { pid, action: 'shmget', key, mode: 0o600 }
  const file = { pid, action: 'open', path }
  assert.deepEqual(activitiesOf(events, 'sharedMemory', pid), [
    { ...shmget, id: made, sizeBytes: 65_536, flags: ['IPC_CREAT'], created: true },
    { ...shmget, id: made, sizeBytes: 100, flags: ['IPC_CREAT'] },
    { ...shmget, sizeBytes: 100, flags: ['IPC_CREAT', 'IPC_EXCL'], errno: 17 },
    { ...shmget, key: Number(key) + 1, sizeBytes: 100, flags: [], errno: 2 },
    { ...shmget, key: 0, id: own, sizeBytes: 4096, flags: [], created: true },
    { pid, action: 'shmat', id: made, flags: ['SHM_RDONLY'], address: BigInt(Number(mapped)) },
    { pid, action: 'shmat', id: 2 ** 30, flags: [], writable: true, errno: 22 },
    {
      pid,
      action: 'memfd',
      flags: ['MFD_CLOEXEC', 'MFD_ALLOW_SEALING'],
      created: true,
      name: 'a \ufffd name',
    },
    { ...file, created: true, writable: true },
    file,
  ])
})
