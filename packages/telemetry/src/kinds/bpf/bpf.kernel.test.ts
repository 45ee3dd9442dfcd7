import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activitiesOf, runActivity, watchActivity } from '../../testing/activities.js'

const PROGRAM = new URL('testing/situation.js', import.meta.url)

test('programs that others load and attach, and none of the queue', { timeout: 120_000 }, async (t) => {
  const { facts, events } = await watchActivity(t, { bpf: true }, 'bpf', () => runActivity(PROGRAM))
  const { pid, loaded, refused } = facts
  assert.equal(loaded, true)
  const [link = -1, attach = 0, detach = 0] = facts['attached'] as number[]
  const seen = activitiesOf(events, 'bpf', pid)
  const numbers = seen.map(({ programId }) => programId)
  assert.ok(
    numbers.every((id, index) => (index === 1) === (id === undefined)),
    String(numbers),
  )
  const plain = seen.map(({ programId: _id, linkId: _link, instructions: _count, ...event }) => event)
  const skb = { pid, programType: 'CGROUP_SKB', attachType: 'CGROUP_INET_EGRESS', name: 'skb' }
  const error = (result: number): object => (result < 0 ? { errno: -result } : {})
  assert.deepEqual(plain, [
    { pid, command: 'PROG_LOAD', programType: 'SOCKET_FILTER', name: 'hello' },
    {
      pid,
      command: 'PROG_LOAD',
      programType: 'CGROUP_SKB',
      name: 'bad one',
      errno: -Number(refused),
    },
    { pid, command: 'PROG_LOAD', programType: 'CGROUP_SKB', name: 'skb' },
    ...(link < 0
      ? []
      : [
          { ...skb, command: 'LINK_CREATE', linkType: 'CGROUP' },
          { ...skb, command: 'PROG_ATTACH', ...error(attach) },
          { ...skb, command: 'PROG_DETACH', ...error(detach) },
        ]),
  ])
  // The queue has loaded its own programs before and may load more: none of it is an event.
  assert.deepEqual(activitiesOf(events, 'bpf', process.pid), [])
})
