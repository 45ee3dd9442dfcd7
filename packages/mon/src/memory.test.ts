import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { growForCommand, growYoung, tidyMemory, usedBytes } from './memory.js'

/** Runs `tidyMemory` with a mocked clock and mocked memory; `load` passes one second. */
function running(): {
  load: (records: number, rssBytes: number) => void
  keep: (bytes: number) => void
  released: () => number
  end: () => void
} {
  let records = 0
  let rssBytes = 100 << 20
  let keptBytes = 60 << 20
  let released = 0
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const end = tidyMemory(() => records, {
    usedBytes: () => rssBytes,
    release: () => {
      released += 1
      rssBytes = keptBytes
    },
  })
  return {
    keep(bytes) {
      keptBytes = bytes
    },
    load(more, grownTo) {
      records += more
      rssBytes = Math.max(rssBytes, grownTo)
      mock.timers.tick(1000)
    },
    released: () => released,
    end() {
      end()
      mock.timers.reset()
    },
  }
}

test('what opening took is given back a second later', () => {
  const { released, end } = running()
  mock.timers.tick(999)
  assert.equal(released(), 0)
  mock.timers.tick(1)
  assert.equal(released(), 1)
  end()
})

test('what a load took is given back when it is over, once', () => {
  const { load, released, end } = running()
  load(0, 0)
  assert.equal(released(), 1)
  load(100_000, 120 << 20)
  assert.equal(released(), 1)
  load(10, 0)
  assert.equal(released(), 2)
  load(10, 0)
  assert.equal(released(), 2)
  end()
})

test('what ended processes keep for some seconds is given back after them, and what stays is left alone', () => {
  const { load, keep, released, end } = running()
  load(0, 0)
  keep(90 << 20)
  load(100_000, 120 << 20)
  const releasedAt: number[] = []
  for (let second = 1; second <= 60; second++) {
    const before = released()
    load(10, 0)
    if (released() > before) releasedAt.push(second)
  }
  assert.deepEqual(releasedAt, [1, 2, 4, 8, 16, 32])
  load(100_000, 120 << 20)
  keep(60 << 20)
  load(10, 0)
  load(10, 0)
  assert.equal(released(), 8)
  end()
})

test('a little more memory is not worth the time', () => {
  const { load, released, end } = running()
  load(0, 0)
  load(100_000, 64 << 20)
  load(0, 0)
  assert.equal(released(), 1)
  end()
})

test('where resident memory cannot be read it goes by what the engine has', (t) => {
  const unreadable = t.mock.method(process.memoryUsage, 'rss', () => {
    throw Object.assign(new Error('EACCES: permission denied, uv_resident_set_memory'), { code: 'EACCES' })
  })
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  let released = 0
  const end = tidyMemory(() => 0, { usedBytes, release: () => (released += 1) })
  mock.timers.tick(60_000)
  end()
  mock.timers.reset()
  assert.equal(released, 1)
  assert.ok(unreadable.mock.callCount() > 1)
  assert.ok(usedBytes() > 1 << 20)
})

test('afterwards nothing is done', () => {
  const { released, end } = running()
  end()
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  mock.timers.tick(60_000)
  assert.equal(released(), 0)
  mock.timers.reset()
})

test('the young generation grows to a size, and again after it has shrunk', () => {
  let sizeBytes = 1 << 20
  const set: number[] = []
  const grow = growYoung({ sizeBytes: () => sizeBytes, setGrowth: (factor) => void set.push(factor) })
  grow()
  sizeBytes = 2 << 20
  grow()
  assert.deepEqual(set, [2], 'set once')
  sizeBytes = 4 << 20
  grow()
  grow()
  assert.deepEqual(set, [2, 1])
  sizeBytes = 1 << 20
  grow()
  assert.deepEqual(set, [2, 1, 2])
})

test('while a command is watched the young generation grows further, from the beginning', () => {
  mock.timers.enable({ apis: ['setInterval'] })
  let sizeBytes = 1 << 20
  const set: number[] = []
  const end = growForCommand({ sizeBytes: () => sizeBytes, setGrowth: (factor) => void set.push(factor) })
  assert.deepEqual(set, [2])
  sizeBytes = 8 << 20
  mock.timers.tick(1000)
  assert.deepEqual(set, [2])
  sizeBytes = 16 << 20
  mock.timers.tick(1000)
  assert.deepEqual(set, [2, 1])
  end()
  sizeBytes = 1 << 20
  mock.timers.tick(5000)
  assert.deepEqual(set, [2, 1])
  mock.timers.reset()
})
