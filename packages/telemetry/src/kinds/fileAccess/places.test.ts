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
  const { below, parents, names, procNames, absent, left } = some.kernel()
  assert.deepEqual(
    [below.map(({ inode }) => inode), parents.map(({ inode }) => inode), names, procNames, absent, left],
    [[ino], [ino, ino], ['file', 'later'], ['mem'], ['/nowhere/x'], []],
  )

  for (let at = 0; at <= MAX_DIRECTORIES; at++) mkdirSync(join(folder, `home${at}/.ssh`), { recursive: true })
  const many = new AccessPlaces([`${folder}/*/.ssh`]).kernel()
  assert.deepEqual([many.below.length, many.left], [MAX_DIRECTORIES, [`${folder}/*/.ssh`]])

  const files = Array.from({ length: MAX_NAMES + 1 }, (_, at) => `${folder}/name${at}`)
  assert.deepEqual(new AccessPlaces(files).kernel().left, [`${folder}/name${MAX_NAMES}`])
})

test('places of which nothing is there are no error', () => {
  const { below, parents, procNames, absent } = new AccessPlaces(['/nowhere/*/x', '/nowhere/y']).kernel()
  assert.deepEqual([below, parents, procNames, absent], [[], [], [], ['/nowhere/*/x', '/nowhere/y']])
})
