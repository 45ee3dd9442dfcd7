import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TimeBase } from '../../event/time-base.js'
import { ProcessRecord } from '../../process/entry.js'
import type { Identity } from '../../process/identity.js'
import { ContainerTable } from './table.js'
import type { AskedUsers } from './users/asked.js'

const process = new ProcessRecord(7, new TimeBase(0n, { id: undefined, hasExactStarts: true }))
const setIds = (euid: number, egid: number): void => {
  process.identity = { euid, egid } as Identity
}
setIds(33, 44)
const idOf = (n: number): string => n.toString(16).padStart(64, '0')
const cgroupOf = (n: number): string => `/docker/${idOf(n)}`

test('of 10,000 containers and pods as many are remembered as the limit says, and each is found fast', () => {
  const asked: string[] = []
  const table = new ContainerTable(4096, { container: ({ id }) => asked.push(id), users: () => undefined })
  const begin = performance.now()
  for (let n = 0; n < 10_000; n++) {
    table.placeOf(cgroupOf(n), process)
    table.learnContainer({ id: idOf(n), name: `c${n}`, podUid: `pod-${n}` })
    table.learnPod({ uid: `pod-${n}`, name: `p${n}` })
  }
  assert.equal(asked.length, 10_000)
  assert.deepEqual(table.stats(), { containers: 4096, pods: 4096, forgotten: 2 * (10_000 - 4096) })
  for (let round = 0; round < 10; round++) {
    for (let n = 6000; n < 10_000; n++) {
      const place = table.placeOf(cgroupOf(n), process)
      if (place?.container?.name !== `c${n}` || place.pod?.name !== `p${n}`) assert.fail(cgroupOf(n))
    }
  }
  // What was forgotten is asked for again.
  assert.equal(table.placeOf(cgroupOf(1), process), undefined)
  assert.equal(asked.at(-1), idOf(1))
  for (let n = 0; n < 10_000; n++) table.forgetPod(`pod-${n}`)
  assert.deepEqual(table.size, 0)
  assert.ok(performance.now() - begin < 20_000, `${performance.now() - begin} ms`)
})

test('a container whose cgroup has a path of 4,000 bytes is found', () => {
  const table = new ContainerTable(16)
  table.learnContainer({ id: idOf(1), name: 'deep' })
  const path = `${cgroupOf(1)}${'/x'.repeat(1900)}`
  assert.equal(table.placeOf(path, process)?.container?.name, 'deep')
  assert.equal(table.placeOf(path, process), table.placeOf(path, process))
  assert.equal(table.placeOf(`/${'docker-'.repeat(570)}`, process), undefined)
})

test('users of containers are asked about once in a while, and what was delivered stays as it was', () => {
  const asked: AskedUsers[] = []
  const asks = { container: () => undefined, users: (one: AskedUsers) => asked.push(one) }
  const table = new ContainerTable(16, asks, true)
  for (let i = 0; i < 1000; i++) assert.equal(table.placeOf(cgroupOf(1), process), undefined)
  assert.deepEqual(asked, [{ id: idOf(1), pids: [7], uid: 33, gid: 44 }])
  table.learnUsers({ id: idOf(1), uid: 33, user: 'web' })
  const first = table.placeOf(cgroupOf(1), process)
  assert.deepEqual([first?.users?.users.get(33), first?.users?.groups.get(44)], ['web', undefined])
  table.learnUsers({ id: idOf(1), uid: 33, user: 'other', gid: 44, group: 'crew' })
  const second = table.placeOf(cgroupOf(1), process)
  assert.deepEqual([first?.users?.users.get(33), second?.users?.users.get(33)], ['web', 'other'])
  assert.equal(table.placeOf(cgroupOf(1), process), second)
  // Another container has other users.
  assert.equal(table.placeOf(cgroupOf(2), process), undefined)
  // A container cannot make more be asked, or kept, by having many users.
  for (let uid = 0; uid < 100_000; uid++) {
    setIds(uid, 44)
    table.placeOf(cgroupOf(1), process)
    table.learnUsers({ id: idOf(1), uid, user: `user${uid}` })
  }
  assert.ok(asked.length <= 300, String(asked.length))
  assert.ok((table.placeOf(cgroupOf(1), process)?.users?.users.size ?? 0) <= 256)
})
