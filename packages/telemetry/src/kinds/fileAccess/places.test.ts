import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AccessPlaces, MAX_DIRECTORIES, MAX_NAMES } from './places.js'

test('what was asked for is found, or said not to be there, or to have no room', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-places-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { ino } = statSync(folder, { bigint: true })
  writeFileSync(join(folder, 'file'), '')
  const some = new AccessPlaces([
    `${folder}/file`,
    `${folder}/later`,
    `${folder}/*.key`,
    '/nowhere/x',
    '/proc/*/mem',
  ])
  const { below, globs, named, procNames, absent, left } = some.kernel()
  assert.deepEqual([below, procNames, absent, left], [[], ['mem'], ['/nowhere/x'], []])
  assert.deepEqual(
    globs.map(({ inode }) => inode),
    [ino],
  )
  assert.deepEqual(
    named.map(({ names, parents }) => [names, parents.map(({ inode }) => inode)]),
    [[['file', 'later'], [ino]]],
  )

  for (let at = 0; at <= MAX_DIRECTORIES; at++) mkdirSync(join(folder, `home${at}/.ssh`), { recursive: true })
  const many = new AccessPlaces([`${folder}/*/.ssh`]).kernel()
  assert.deepEqual([many.below.length, many.left], [MAX_DIRECTORIES, [`${folder}/*/.ssh`]])

  const files = Array.from({ length: MAX_NAMES + 1 }, (_, at) => `${folder}/name${at}`)
  assert.deepEqual(new AccessPlaces(files).kernel().left, [`${folder}/name${MAX_NAMES}`])
})

test('places of which nothing is there are no error', () => {
  const { below, named, procNames, absent } = new AccessPlaces(['/nowhere/*/x', '/nowhere/y']).kernel()
  assert.deepEqual([below, named, procNames, absent], [[], [], [], ['/nowhere/*/x', '/nowhere/y']])
})

test('names are looked for in their own directories alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-places-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const name of ['a', 'b']) mkdirSync(join(folder, name))
  const inodes = ['a', 'b'].map((name) => statSync(join(folder, name), { bigint: true }).ino)
  const files = ['a/shadow', 'a/gshadow', 'a/.netrc', 'b/.netrc', 'b/../b/.netrc'].map((name) =>
    join(folder, name),
  )
  const { named } = new AccessPlaces(files).kernel()
  assert.deepEqual(
    named.map(({ names, parents }) => [names, parents.map(({ inode }) => inode)]),
    [
      [['shadow', 'gshadow'], [inodes[0]]],
      [['.netrc'], inodes],
    ],
  )
})

test('of a file below the directory of a glob the name counts, however it is reached', () => {
  const places = new AccessPlaces(['/etc/ssh/ssh_host_*_key', '/root/.ssh'])
  for (const [path, may] of [
    ['/host/etc/ssh/ssh_host_rsa_key', true],
    ['/x/ssh_host_rsa_key', true],
    ['/x/ssh_host_keys/a', false],
    ['/host/root/.ssh/id', false],
  ] as const)
    assert.equal(places.mayBeNamed(path), may, path)
})
