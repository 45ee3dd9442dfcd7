import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseNames, UserNames } from './users.js'

const top = mkdtempSync(join(tmpdir(), 'quark-users-'))
after(() => rmSync(top, { recursive: true }))

test('parseNames() passes over what is not an entry, and keeps the first name of an id', () => {
  const text = [
    'root:x:0:0:root:/root:/bin/sh',
    'toor:x:0:0::/root:/bin/sh',
    '# comment:x:1:',
    '+nis:x:2:',
    '-nis:x:2:',
    '+::::::',
    '',
    'no id',
    'bad:x:three:3:',
    'negative:x:-1:3:',
    ':x:4:4:',
    'large:x:4294967295:1:',
    'larger:x:4294967296:1:',
    'zoë:x:5:5:',
    'wheel:x:10',
  ].join('\n')
  assert.deepEqual(
    [...parseNames(text)],
    [
      [0, 'root'],
      [4294967295, 'large'],
      [5, 'zoë'],
      [10, 'wheel'],
    ],
  )
})

test('names come from both files, and changes are seen when the next check is due', () => {
  const passwdPath = join(top, 'passwd')
  const groupPath = join(top, 'group')
  writeFileSync(passwdPath, 'root:x:0:0::/:\n')
  writeFileSync(groupPath, 'wheel:x:0:\n')
  let now = 5
  const names = new UserNames({ passwdPath, groupPath, nowMs: () => now })
  assert.deepEqual([names.userName(0), names.groupName(0), names.userName(1)], ['root', 'wheel', undefined])

  writeFileSync(`${passwdPath}.new`, 'admin:x:0:0::/:\n')
  renameSync(`${passwdPath}.new`, passwdPath)
  now += 999
  assert.equal(names.userName(0), 'root')
  now += 1
  assert.equal(names.userName(0), 'admin')

  rmSync(passwdPath)
  now += 1_000
  assert.equal(names.userName(0), 'admin', 'names are kept while the file is missing')
})

test('without files there are no names', () => {
  const names = new UserNames({ passwdPath: join(top, 'missing'), groupPath: top })
  assert.deepEqual([names.userName(0), names.groupName(0)], [undefined, undefined])
})

test('of a file with a million users those at its beginning have names, and reading it is bounded', () => {
  const passwdPath = join(top, 'million')
  let text = ''
  for (let id = 0; id < 1_000_000; id++) text += `user${id}:x:${id}:${id}:A user:/home/user${id}:/bin/sh\n`
  writeFileSync(passwdPath, text)
  const names = new UserNames({ passwdPath, groupPath: join(top, 'none') })
  const begin = performance.now()
  assert.equal(names.userName(100_000), 'user100000')
  assert.equal(names.userName(999_999), undefined)
  const tookMs = performance.now() - begin
  assert.ok(tookMs < 10_000, `${tookMs} ms`)
  const known = names.users().length
  assert.ok(known > 200_000 && known < 600_000, String(known))
})
