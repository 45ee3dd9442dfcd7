import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { ClosedError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { BPF_EXIST, BPF_F_RDONLY_PROG, BPF_NOEXIST, BpfMap, possibleCpuCount } from './map.js'
import type { MapSpec } from '../probe/map-spec.js'
import { pageSizeBytes } from '../sys/libc.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'

expectNoLeaks()

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)

kernelTest('an array has every entry from the start', '4.18', () => {
  using map = BpfMap.create({ name: 'array', type: 'array', valueSizeBytes: 3, maxEntries: 2 })
  assert.deepEqual(map.get(1), bytes(0, 0, 0))
  map.set(1, bytes(1, 2, 3))
  assert.deepEqual(
    [...map.entries()],
    [
      [u32(0), bytes(0, 0, 0)],
      [u32(1), bytes(1, 2, 3)],
    ],
  )
  assert.equal(map.get(2), undefined)
  assert.throws(() => map.set(2, bytes(0, 0, 0)), { errno: constants.errno.E2BIG })
  for (const key of [2 ** 32, -1, 0.5]) assert.throws(() => map.get(key), RangeError)
})

kernelTest('a hash finds, replaces, refuses and removes', '4.18', () => {
  using map = BpfMap.create({ name: 'hash', type: 'hash', keySizeBytes: 2, valueSizeBytes: 1, maxEntries: 4 })
  const key = bytes(7, 8)
  assert.equal(map.get(key), undefined)
  assert.throws(() => map.set(key, bytes(1), BPF_EXIST), { errno: constants.errno.ENOENT })
  map.set(key, bytes(1), BPF_NOEXIST)
  assert.throws(() => map.set(key, bytes(2), BPF_NOEXIST), { errno: constants.errno.EEXIST })
  map.set(key, bytes(3))
  assert.deepEqual(map.get(key), bytes(3))
  assert.equal(map.delete(key), true)
  assert.equal(map.delete(key), false)
  assert.deepEqual([...map.keys()], [])
})

kernelTest('a frozen map can be read, and no longer changed', '5.2', () => {
  using map = BpfMap.create({ name: 'frozen', type: 'array', maxEntries: 1, flags: BPF_F_RDONLY_PROG })
  map.set(0, u32(7))
  map.freeze()
  assert.throws(() => map.set(0, u32(8)), { errno: constants.errno.EPERM })
  assert.deepEqual(map.get(0), u32(7))
  // Older kernels (5.10) say EBUSY.
  assert.throws(() => map.freeze(), { errnoName: /^(EPERM|EBUSY)$/ })
})

kernelTest('a map that is mapped writable cannot be frozen', '5.5', () => {
  using map = BpfMap.create({ name: 'mapped', type: 'array', maxEntries: 1, mmapable: true })
  using memory = map.mmap()
  assert.ok(memory.buffer.byteLength > 0)
  assert.throws(() => map.freeze(), { errno: constants.errno.EBUSY })
})

kernelTest(
  'entries of large maps are those that keys and get find, also while they are removed',
  '4.18',
  () => {
    for (const type of ['hash', 'lruHash'] as const) {
      using map = BpfMap.create({ name: type, type, keySizeBytes: 6, valueSizeBytes: 5, maxEntries: 5000 })
      const text = ([key, value]: [Uint8Array, Uint8Array]): string => `${key.join()}=${value.join()}`
      assert.deepEqual([...map.entries()], [])
      for (let i = 0; i < 3000; i++) map.set(bytes(i, i >> 8, 0, 0, 0, 1), bytes(i, i >> 8, 2, 3, 4))
      const one = [...map.keys()].map((key) => text([key, map.get(key) as Uint8Array]))
      assert.ok(one.length > 2000, `${one.length}`)
      assert.deepEqual([...map.entries()].map(text).sort(), one.toSorted())
      let removed = 0
      for (const [key] of map.entries()) if (map.delete(key)) removed += 1
      assert.equal(removed, one.length)
      assert.deepEqual([...map.entries()], [])
    }
  },
)

kernelTest('every key can be deleted while iterating', '4.18', () => {
  using map = BpfMap.create({ name: 'hash', type: 'lruHash', maxEntries: 256 })
  for (let key = 0; key < 20; key += 1) {
    map.set(key, u32(key * 2))
  }
  const seen = [...map.entries()].map(([key, value]) => [
    Buffer.from(key).readUInt32LE(),
    Buffer.from(value).readUInt32LE(),
  ])
  assert.deepEqual(
    seen.sort((a, b) => Number(a[0]) - Number(b[0])),
    Array.from({ length: 20 }, (_, key) => [key, key * 2]),
  )
  for (const key of map.keys()) {
    assert.equal(map.delete(key), true)
  }
  assert.deepEqual([...map.keys()], [])
})

kernelTest('per-CPU maps have a value for each possible CPU', '4.18', async () => {
  for (const type of ['percpuArray', 'percpuHash'] as const) {
    using map = BpfMap.create({ name: type, type, valueSizeBytes: 5, maxEntries: 1 })
    map.set(0, bytes(1, 2, 3, 4, 5))
    assert.deepEqual(
      map.getPerCpu(0),
      Array.from({ length: possibleCpuCount() }, () => bytes(1, 2, 3, 4, 5)),
    )
    assert.deepEqual(map.getPerCpu(9), [])
    assert.throws(() => map.get(0), TypeError)
  }
})

kernelTest('an mmapable array is the same memory for both sides', '5.5', () => {
  const map = BpfMap.create({ name: 'mmap', type: 'array', valueSizeBytes: 4, maxEntries: 2, mmapable: true })
  const memory = map.mmap()
  assert.equal(memory.sizeBytes, pageSizeBytes())
  memory.words[2] = 0x01020304 // entries begin at multiples of 8 bytes
  assert.deepEqual(map.get(1), bytes(4, 3, 2, 1))
  map.set(0, bytes(9, 0, 0, 0))
  assert.equal(memory.bytes[0], 9)

  map.close()
  assert.equal(memory.bytes[0], 9)
  memory.close()
  memory.close()
  assert.equal(memory.closed, true)
  assert.throws(() => memory.bytes, ClosedError)
  assert.throws(() => memory.words, ClosedError)
  assert.throws(() => memory.buffer, ClosedError)
})

kernelTest('an array that is not mmapable is not mapped', '4.18', () => {
  using map = BpfMap.create({ name: 'plain', type: 'array', maxEntries: 1 })
  assert.throws(() => map.mmap(), TypeError)
})

kernelTest('every method of a closed map throws ClosedError', '5.5', () => {
  const map = BpfMap.create({ name: 'gone', type: 'array', maxEntries: 1, mmapable: true })
  map.close()
  map.close()
  const uses = [
    () => map.get(0),
    () => map.set(0, u32(0)),
    () => map.delete(0),
    () => [...map.keys()],
    () => [...map.entries()],
    () => map.mmap(),
  ]
  for (const use of uses) {
    assert.throws(use, ClosedError)
  }
})

kernelTest('mistakes in specs, keys and values throw before the kernel sees them', '4.18', () => {
  const specs: MapSpec[] = [
    { name: 'none', type: 'array', maxEntries: 0 },
    { name: 'odd', type: 'ringbuf', maxEntries: pageSizeBytes() * 3 },
    { name: 'small', type: 'ringbuf', maxEntries: 1024 },
    { name: 'mmap', type: 'hash', maxEntries: 1, mmapable: true },
  ]
  for (const spec of specs) {
    assert.throws(() => BpfMap.create(spec), RangeError)
  }
  using map = BpfMap.create({ name: 'array', type: 'array', maxEntries: 1 })
  assert.throws(() => map.get(bytes(1)), RangeError)
  assert.throws(() => map.set(0, bytes(1)), RangeError)
})

kernelTest('a map that the kernel refuses is an error that names it', '4.18', () => {
  assert.throws(
    () => BpfMap.create({ name: 'wide', type: 'array', keySizeBytes: 8, maxEntries: 1 }),
    (error) =>
      error instanceof KernelError &&
      error.errnoName === 'EINVAL' &&
      error.message.startsWith('Cannot create map "wide" of type array: bpf(BPF_MAP_CREATE) failed with'),
  )
})
