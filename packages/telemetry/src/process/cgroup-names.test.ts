import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CgroupNames } from './cgroup-names.js'
import type { CgroupHierarchy } from './procfs/cgroup-mounts.js'

const top = mkdtempSync(join(tmpdir(), 'quark-cgroups-'))
after(() => rmSync(top, { recursive: true }))

let trees = 0

/** A tree of directories that stands for a mounted hierarchy. */
function fakeTree(paths: readonly string[], mountRoot = '/'): CgroupHierarchy {
  const mountPoint = join(top, `tree${trees++}`)
  for (const path of ['.', ...paths]) {
    mkdirSync(join(mountPoint, path), { recursive: true })
    writeFileSync(join(mountPoint, path, 'cgroup.procs'), '')
  }
  return { kind: 'unified', mountPoint, mountRoot, hierarchyId: 0 }
}

function idOf(hierarchy: CgroupHierarchy, path: string): bigint {
  return statSync(join(hierarchy.mountPoint, path), { bigint: true }).ino
}

test('scan() learns the names of all cgroups', () => {
  const paths = ['a', 'a/b', 'a/b/c d', 'e']
  const hierarchy = fakeTree(paths)
  const names = new CgroupNames({ hierarchy })
  names.scan()
  assert.equal(names.pathOf(idOf(hierarchy, '.')), '/')
  for (const path of paths) assert.equal(names.pathOf(idOf(hierarchy, path)), `/${path}`)
  const { sizeBytes, ...stats } = names.stats()
  assert.deepEqual(stats, { entries: 5, misses: 0, scans: 1, evicted: 0 })
  assert.ok(sizeBytes > 500)
})

test('names begin at the root of the hierarchy although only a part is mounted', () => {
  const hierarchy = fakeTree(['a'], '/docker/abc')
  const names = new CgroupNames({ hierarchy })
  names.scan()
  assert.equal(names.pathOf(idOf(hierarchy, '.')), '/docker/abc')
  assert.equal(names.pathOf(idOf(hierarchy, 'a')), '/docker/abc/a')
})

test('an unknown id causes a scan, but not again at once', () => {
  const hierarchy = fakeTree(['a'])
  let now = 0
  const names = new CgroupNames({ hierarchy, nowMs: () => now })
  assert.equal(names.pathOf(idOf(hierarchy, 'a')), '/a')

  mkdirSync(join(hierarchy.mountPoint, 'late'))
  const late = idOf(hierarchy, 'late')
  now = 999
  assert.equal(names.pathOf(late), undefined)
  now = 1_000
  assert.equal(names.pathOf(late), '/late')
  const { sizeBytes: _, ...stats } = names.stats()
  assert.deepEqual(stats, { entries: 3, misses: 1, scans: 2, evicted: 0 })
})

test('scans that take long are far apart', () => {
  const hierarchy = fakeTree([])
  let now = 0
  let step = 500
  // A scan asks for the time before and after.
  const names = new CgroupNames({ hierarchy, nowMs: () => (now += step) })
  names.scan()
  step = 0
  now += 9_999
  names.pathOf(1n)
  assert.equal(names.stats().scans, 1)
  now += 1
  names.pathOf(1n)
  assert.equal(names.stats().scans, 2)
})

test('ids are the same as number and as bigint, and exact beyond 2^53', () => {
  const names = new CgroupNames()
  names.set(7, '/a')
  names.set(2n ** 53n + 1n, '/b')
  names.set(2n ** 64n - 1n, '/c')
  assert.equal(names.pathOf(7n), '/a')
  assert.equal(names.pathOf(2n ** 53n + 1n), '/b')
  assert.equal(names.pathOf(2n ** 53n), undefined)
  assert.equal(names.pathOf(2n ** 64n - 1n), '/c')
})

test('rename() also renames what is below', () => {
  const names = new CgroupNames()
  names.set(1, '/a/old')
  names.set(2, '/a/old/x')
  names.set(3, '/a/older')
  names.rename(1, 'new$&')
  assert.deepEqual(
    [1, 2, 3].map((id) => names.pathOf(id)),
    ['/a/new$&', '/a/new$&/x', '/a/older'],
  )

  names.rename(1, '/a/full')
  assert.deepEqual(
    [1, 2, 3].map((id) => names.pathOf(id)),
    ['/a/full', '/a/full/x', '/a/older'],
  )

  names.rename(4, 'component')
  names.rename(5, '/whole')
  assert.deepEqual(
    [4, 5].map((id) => names.pathOf(id)),
    [undefined, '/whole'],
  )
})

test('a full map evicts the name that was used longest ago', () => {
  const names = new CgroupNames({ maxEntries: 2 })
  names.set(1, '/a')
  names.set(2, '/b')
  assert.equal(names.pathOf(1), '/a')
  names.set(3, '/c')
  assert.deepEqual(
    [1, 2, 3].map((id) => names.pathOf(id)),
    ['/a', undefined, '/c'],
  )
  const { sizeBytes: _, ...stats } = names.stats()
  assert.deepEqual(stats, { entries: 2, misses: 1, scans: 0, evicted: 1 })
})

test('names have a limit of bytes, whatever changes them', () => {
  const maxBytes = 5000
  const names = new CgroupNames({ maxBytes })
  const long = `/${'x'.repeat(200)}`
  for (let id = 1; id <= 50; id++) {
    names.set(id, `${long}/${id}`)
    assert.ok(names.stats().sizeBytes <= maxBytes)
  }
  assert.equal(names.pathOf(50), `${long}/50`)
  assert.equal(names.pathOf(1), undefined)
  assert.equal(names.evicted, 50 - names.size)
  // A name that comes again, and one that is not Latin: two bytes a character.
  names.set(50, '/\u4e2d'.repeat(300))
  assert.ok(names.stats().sizeBytes <= maxBytes)
  const before = names.size
  const parent = new CgroupNames({ maxBytes })
  parent.set(1, '/a')
  for (let id = 2; id <= 20; id++) parent.set(id, `/a/${id}`)
  parent.rename(1, long)
  assert.ok(parent.stats().sizeBytes <= maxBytes)
  assert.ok(parent.evicted > 0 && before > 0)
  // Nothing is counted that is not there.
  const sum = parent.names().reduce((bytes, [, path]) => bytes + 100 + path.length, 0)
  assert.equal(parent.stats().sizeBytes, sum)
})

test('a scan of a large hierarchy stops at the limit and keeps what is near the root', () => {
  const hierarchy = fakeTree(['a', 'a/b', 'a/b/c'])
  const names = new CgroupNames({ hierarchy, maxEntries: 2 })
  names.scan()
  assert.equal(names.pathOf(idOf(hierarchy, '.')), '/')
  assert.equal(names.pathOf(idOf(hierarchy, 'a')), '/a')
  assert.equal(names.pathOf(idOf(hierarchy, 'a/b')), undefined)
  assert.equal(names.stats().evicted, 0)
})

test('a hierarchy that is gone has no names', () => {
  const mountPoint = join(top, 'missing')
  const names = new CgroupNames({ hierarchy: { kind: 'pids', mountPoint, mountRoot: '/', hierarchyId: 8 } })
  names.scan()
  assert.equal(names.pathOf(1), undefined)
})

test('deep cgroups are found, and those whose names are not UTF-8', () => {
  const deep = Array.from({ length: 300 }, () => 'd').join('/')
  const hierarchy = fakeTree([deep])
  const bytes = Buffer.concat([Buffer.from(`${hierarchy.mountPoint}/`), Buffer.from([0x61, 0xff])])
  mkdirSync(Buffer.concat([bytes, Buffer.from('/b')]), { recursive: true })
  const names = new CgroupNames({ hierarchy })
  names.scan()
  assert.equal(names.pathOf(idOf(hierarchy, deep)), `/${deep}`)
  const below = statSync(Buffer.concat([bytes, Buffer.from('/b')]), { bigint: true }).ino
  assert.equal(names.pathOf(below), '/a\ufffd/b')
})

test('only names of the own hierarchy are taken, and none where paths are those of a namespace', () => {
  const place = { kind: 'pids', mountPoint: '/missing', mountRoot: '/', hierarchyId: 8 } as const
  const taken = (names: CgroupNames): boolean[] => [0, 8].map((hierarchy) => names.takes(hierarchy))
  assert.deepEqual(taken(new CgroupNames({ hierarchy: place })), [false, true])
  assert.deepEqual(taken(new CgroupNames({ hierarchyId: 0 })), [true, false])
  assert.deepEqual(taken(new CgroupNames()), [true, true])
  const inNamespace = new CgroupNames({ hierarchy: { ...place, isFromNamespace: true } })
  assert.deepEqual(taken(inNamespace), [false, false])
})

test('a replay has the hierarchy of the names from the recording; one of 0.1.0 lacks it', () => {
  const names = new CgroupNames({ hierarchyId: 8 })
  names.set(1, '/a')
  const replayed = new CgroupNames()
  assert.equal(replayed.learnt.load(JSON.parse(JSON.stringify(names.learnt.save()))), true)
  assert.deepEqual([replayed.takes(0), replayed.takes(8), replayed.pathOf(1)], [false, true, '/a'])
  const old = new CgroupNames()
  assert.equal(old.learnt.load([['1', '/a']]), true)
  assert.deepEqual([old.takes(0), old.takes(8), old.pathOf(1)], [true, true, '/a'])
  for (const broken of [null, 1, {}, { names: 1 }, { names: [], hierarchyId: 'x' }]) {
    assert.equal(new CgroupNames().learnt.load(broken), false, JSON.stringify(broken))
  }
})
