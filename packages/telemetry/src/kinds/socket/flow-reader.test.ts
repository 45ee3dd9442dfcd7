import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowMaps } from './flow-maps.js'
import { flowReader } from './flow-reader.js'
import { COOKIES } from './keys.js'
import { socketMaps } from './maps.js'

/** A map of the kernel. */
class FakeMap {
  readonly #entries = new Map<string, [key: unknown, value: unknown]>()

  #text(key: unknown): string {
    return JSON.stringify(key, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  }

  set(key: unknown, value: unknown): void {
    this.#entries.set(this.#text(key), [key, value])
  }

  get(key: unknown): unknown {
    return this.#entries.get(this.#text(key))?.[1]
  }

  delete(key: unknown): boolean {
    return this.#entries.delete(this.#text(key))
  }

  entries(): IterableIterator<[unknown, unknown]> {
    return this.#entries.values() as IterableIterator<[unknown, unknown]>
  }

  get size(): number {
    return this.#entries.size
  }
}

interface Pushed {
  readonly [name: string]: unknown
}

function reading({ flowIdleMs = 1000 } = {}) {
  const declared = flowMaps(256)
  const sockets = socketMaps(256, COOKIES)
  const fakes = new Map<object, FakeMap>()
  const fake = (map: object): FakeMap => {
    const known = fakes.get(map) ?? new FakeMap()
    fakes.set(map, known)
    return known
  }
  const pushed: Pushed[] = []
  const state = { nowNs: 1e9, lost: 0, pushed }
  const source = flowReader(declared, sockets, { flowIdleMs }).open(
    {
      clock: { bootNowNs: () => state.nowNs, bootEpochNs: 0n },
      push: (_layout, { timeNs }, values) => pushed.push({ timeNs, ...values }),
      walk: () => false,
      noteLost: (count) => (state.lost += count),
    },
    { map: ((map: object) => fake(map)) as never },
  )
  const key = (cookie: bigint, port = 53) => ({
    cookie,
    remote0: 1,
    remote1: 0,
    remote2: 0,
    remote3: 0,
    remotePort: port,
    family: 2,
  })
  const begin = (cookie: bigint, port = 53, about: object = {}): void => {
    fake(declared.counts).set(key(cookie, port), {
      lastNs: BigInt(state.nowNs),
      sentDatagrams: 1n,
      sentBytes: 5n,
      receivedDatagrams: 2n,
      receivedBytes: 7n,
    })
    fake(declared.about).set(key(cookie, port), {
      firstNs: 9n,
      startBootNs: 3n,
      pid: 7,
      phase: 2,
      netNs: 5,
      localPort: 1,
      local0: 4,
      local1: 0,
      local2: 0,
      local3: 0,
      ...about,
    })
    const begun = (fake(declared.begun).get(0) as bigint | undefined) ?? 0n
    fake(declared.begun).set(0, begun + 1n)
  }
  const close = (cookie: bigint): void =>
    fake(declared.closed).set(cookie, { closedNs: BigInt(state.nowNs), closerPid: 8, reserved: 0 })
  return { source, state, begin, close, fake, declared, sockets, key }
}

test('a flow ends when its socket is closed, or when nothing passes for long, or with the queue', async () => {
  const { source, state, begin, close, fake, declared } = reading()
  begin(1n)
  begin(2n)
  begin(3n)
  source.read()
  assert.equal(state.pushed.length, 0)
  close(1n)
  await rest()
  source.read()
  assert.deepEqual(
    state.pushed.map(({ cookie, ended, closerPid, pid }) => [cookie, ended, closerPid, pid]),
    [[1n, 1, 8, 7]],
  )
  assert.equal(fake(declared.closed).size, 0)
  state.nowNs += 1e9
  fake(declared.counts).set(
    { cookie: 3n, remote0: 1, remote1: 0, remote2: 0, remote3: 0, remotePort: 53, family: 2 },
    {
      lastNs: BigInt(state.nowNs),
      sentDatagrams: 2n,
      sentBytes: 6n,
      receivedDatagrams: 2n,
      receivedBytes: 7n,
    },
  )
  await rest()
  source.read()
  source.stop()
  source.read()
  source.read()
  assert.deepEqual(
    state.pushed.map(({ cookie, ended }) => [cookie, ended]),
    [
      [1n, 1],
      [2n, 2],
      [3n, 0],
    ],
  )
  // The last one stays in the maps, which end with the session.
  assert.deepEqual([fake(declared.counts).size, fake(declared.about).size, state.lost], [1, 1, 0])
})

/** It does not look again at once: looking takes time. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 300))
}

test('a flow belongs to who sent, else to who read, else to who opened the socket', () => {
  const { source, state, begin, fake, declared, sockets } = reading()
  begin(1n, 53, { pid: 0, startBootNs: 0n })
  begin(2n, 53, { pid: 0, startBootNs: 0n })
  begin(3n, 53, { pid: 0, startBootNs: 0n })
  fake(declared.readers).set(1n, { pid: 70, startBootNs: 4n, reserved: 0 })
  fake(sockets.openers).set(1n, { pid: 60, startBootNs: 2n, sinceNs: 1n, reserved: 0 })
  fake(sockets.openers).set(2n, { pid: 61, startBootNs: 2n, sinceNs: 1n, reserved: 0 })
  source.stop()
  source.read()
  assert.deepEqual(
    state.pushed.map(({ pid, openerPid, startBootNs }) => [pid, openerPid, startBootNs]),
    [
      [70, 60, 4n],
      [61, 61, 2n],
      [0, 0, 0n],
    ],
  )
})

test('flows that the kernel gave up are counted as lost, once', () => {
  const { source, state, begin, fake, declared, key } = reading()
  for (let port = 0; port < 10; port++) begin(1n, port)
  for (let port = 0; port < 4; port++) fake(declared.counts).delete(key(1n, port))
  source.stop()
  source.read()
  source.read()
  assert.deepEqual([state.pushed.length, state.lost], [6, 4])
})

test('a look makes a bounded number of records, and the next one goes on', () => {
  const { source, state, begin, close, fake, declared } = reading()
  for (let port = 0; port < 1500; port++) begin(1n, port)
  close(1n)
  source.read()
  const { length } = state.pushed
  // How many depends on the time that they take.
  assert.ok(length <= 1024, `${length}`)
  for (let reads = 0; state.pushed.length < 1500 && reads < 1500; reads++) source.read()
  assert.deepEqual([state.pushed.length, state.lost], [1500, 0])
  source.read()
  assert.equal(fake(declared.closed).size, 0)
})

test('at the end all flows are taken, however long that takes, each once; those that had no room are counted', () => {
  const { source, state, begin, fake, declared, key } = reading()
  for (let port = 0; port < 1500; port++) begin(1n, port)
  for (let port = 0; port < 10; port++) fake(declared.counts).delete(key(1n, port))
  source.stop()
  let [reads, most] = [0, 0]
  for (; source.hasMore === true && reads < 1500; reads++) {
    const before = state.pushed.length
    source.read()
    most = Math.max(most, state.pushed.length - before)
  }
  assert.ok(most <= 1024, `${most}`)
  source.read()
  assert.deepEqual([state.pushed.length, state.lost], [1490, 10])
  assert.equal(new Set(state.pushed.map(({ remotePort }) => remotePort)).size, 1490)
  assert.ok(state.pushed.every(({ ended, pid }) => ended === 0 && pid === 7))
})

test('a time that two processors added to at once is not in the future', () => {
  const { source, state, begin, fake, declared, key } = reading()
  begin(1n)
  fake(declared.counts).set(key(1n), {
    lastNs: BigInt(state.nowNs) + 500n,
    sentDatagrams: 1n,
    sentBytes: 0n,
    receivedDatagrams: 0n,
    receivedBytes: 0n,
  })
  source.stop()
  source.read()
  assert.equal(state.pushed[0]?.['lastNs'], BigInt(state.nowNs))
})
