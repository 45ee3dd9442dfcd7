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
  assert.deepEqual(names.stats(), { entries: 5, misses: 0, scans: 1, evicted: 0 })
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
  assert.deepEqual(names.stats(), { entries: 3, misses: 1, scans: 2, evicted: 0 })
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

test('a full map gives up the name that was used longest ago', () => {
  const names = new CgroupNames({ maxEntries: 2 })
  names.set(1, '/a')
  names.set(2, '/b')
  assert.equal(names.pathOf(1), '/a')
  names.set(3, '/c')
  assert.deepEqual(
    [1, 2, 3].map((id) => names.pathOf(id)),
    ['/a', undefined, '/c'],
  )
  assert.deepEqual(names.stats(), { entries: 2, misses: 1, scans: 0, evicted: 1 })
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
