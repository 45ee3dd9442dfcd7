import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isServedType, lookUp, lookUpLink } from './look-up.js'
import { withoutLinks, withRealPaths } from './links.js'
import { findMount } from './mounts.js'

test('isServedType() knows file systems whose answers come from elsewhere', () => {
  for (const type of ['fuse', 'fuse.sshfs', 'fuseblk', 'nfs4', 'cifs', '9p', 'autofs'])
    assert.ok(isServedType(type), type)
  for (const type of ['ext4', 'overlay', 'tmpfs', 'fusectl', 'nfsd', 'proc'])
    assert.ok(!isServedType(type), type)
})

test('findMount() finds a mount by its id', () => {
  const table = [
    '1 1 0:20 / / rw - ext4 /dev/vda rw',
    '21 1 0:22 / /home/a/b\\040c rw shared:5 - fuse.sshfs a@b rw',
    '2 1 0:23 / /mnt rw - xfs /dev/vdb rw',
    '',
  ].join('\n')
  assert.deepEqual(
    [1, 21, 2, 3].map((id) => findMount(table, id)?.type),
    ['ext4', 'fuse.sshfs', 'xfs', undefined],
  )
})

test('lookUp() follows links as the kernel does', (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'quark-look-')))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  writeFileSync(join(folder, 'a/b/file'), 'text')
  symlinkSync('../a/b', join(folder, 'a/relative'))
  symlinkSync(join(folder, 'a/relative/file'), join(folder, 'absolute'))
  symlinkSync('loop', join(folder, 'loop'))
  symlinkSync('..', join(folder, 'a/up'))
  const file = statSync(join(folder, 'a/b/file'), { bigint: true })
  for (const path of ['a/b/file', 'a/relative/file', 'absolute', 'a/up/a//b/./file', 'a/b/../b/file']) {
    using found = lookUp(`${folder}/${path}`)
    assert.deepEqual([found?.path, found?.stat.ino], [join(folder, 'a/b/file'), file.ino], path)
    assert.equal(statSync(found?.reference ?? '', { bigint: true }).ino, file.ino)
  }
  for (const path of ['loop', 'nothing', 'absolute/file', 'a/b/file/']) {
    using found = lookUp(`${folder}/${path}`)
    // A slash behind a file is not looked at.
    assert.equal(found?.stat.ino, path === 'a/b/file/' ? file.ino : undefined, path)
  }
  using root = lookUp('/')
  assert.deepEqual([root?.path, root?.stat.ino], ['/', statSync('/', { bigint: true }).ino])
})

test('withoutLinks() is what the kernel calls a path, as far as there is one', (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'quark-links-')))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  symlinkSync('a', join(folder, 'link'))
  symlinkSync('nowhere', join(folder, 'dangling'))
  for (const [path, real] of [
    ['a/b', 'a/b'],
    ['link/b', 'a/b'],
    ['link/', 'a'],
    ['link/later/still', 'a/later/still'],
    ['dangling/x', 'dangling/x'],
  ] as const)
    assert.equal(withoutLinks(join(folder, path)), join(folder, real), path)
  assert.equal(withoutLinks('/'), '/')
  assert.deepEqual(
    withRealPaths(['/x', '/y'], (path) => [path, `${path}/1`, `${path}/2`], 3),
    ['/x', '/y', '/x/1', '/x/2', '/y/1'],
  )
  const same = ['/x']
  assert.equal(
    withRealPaths(same, (path) => [path], 1),
    same,
  )
})

test('lookUpLink() has the file of a link, and nothing of the mounts of the kernel', () => {
  using exe = lookUpLink('/proc/self', 'exe')
  assert.equal(exe?.stat.ino, statSync(process.execPath, { bigint: true }).ino)
  using namespace = lookUpLink('/proc/self', 'ns/pid')
  assert.equal(namespace, undefined)
})
