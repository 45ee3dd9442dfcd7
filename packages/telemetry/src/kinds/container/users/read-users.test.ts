import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { O_PATH, openInRoot } from './in-root.js'
import { findUsers, mappedId, MOST_BYTES, nameOf } from './read-users.js'

const quiet = (): void => undefined

/** A root with a directory `etc`, and beside it what must not be read. */
function rootOf(t: TestContext): { readonly fd: number; readonly root: string; readonly outside: string } {
  const folder = mkdtempSync(join(tmpdir(), 'quark-root-'))
  const root = join(folder, 'root')
  mkdirSync(join(root, 'etc'), { recursive: true })
  const outside = join(folder, 'outside')
  writeFileSync(outside, 'secret:x:7:7::/:/bin/sh\n')
  const fd = openSync(root, O_PATH)
  t.after(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  return { fd, root, outside }
}

function textIn(fd: number, path: string): string | undefined {
  const found = openInRoot(fd, path)
  if (found === undefined) return undefined
  try {
    return readFileSync(found, 'utf8')
  } finally {
    closeSync(found)
  }
}

test('links lead to what is below the root, and to nothing outside of it', (t) => {
  const { fd, root, outside } = rootOf(t)
  mkdirSync(join(root, 'usr/lib'), { recursive: true })
  writeFileSync(join(root, 'usr/lib/passwd'), 'inside')
  const rows: readonly (readonly [target: string, text: string | undefined])[] = [
    ['/usr/lib/passwd', 'inside'],
    ['../usr/lib/passwd', 'inside'],
    ['../../../../../../usr/lib/passwd', 'inside'],
    [outside, undefined],
    ['../../outside', undefined],
    ['/proc/self/root/etc/hostname', undefined],
    ['/proc/self/cwd', undefined],
    ['passwd', undefined],
    ['usr', undefined],
    [`${'./'.repeat(1000)}x`, undefined],
    ['a/'.repeat(200), undefined],
  ]
  for (const [target, text] of rows) {
    rmSync(join(root, 'etc/passwd'), { force: true })
    symlinkSync(target, join(root, 'etc/passwd'))
    assert.equal(textIn(fd, 'etc/passwd'), text, target)
  }
  // The directory itself may be a link, too.
  rmSync(join(root, 'etc'), { recursive: true })
  symlinkSync('/usr/lib', join(root, 'etc'))
  assert.equal(textIn(fd, 'etc/passwd'), 'inside')
  rmSync(join(root, 'etc'))
  symlinkSync('..', join(root, 'etc'))
  assert.equal(textIn(fd, 'etc/outside'), undefined)
})

test('what is no file is not opened: a FIFO would wait for ever', (t) => {
  const { fd, root } = rootOf(t)
  spawnSync('mkfifo', [join(root, 'etc/passwd')])
  mkdirSync(join(root, 'etc/group'))
  assert.equal(nameOf(fd, 'etc/passwd', 0, quiet), undefined)
  assert.equal(nameOf(fd, 'etc/group', 0, quiet), undefined)
  assert.equal(nameOf(fd, 'etc/none', 0, quiet), undefined)
})

test('the first name of an id counts, and lines that are no entry are passed over', (t) => {
  const { fd, root } = rootOf(t)
  const text = [
    '# root:x:0:',
    '+nis:x:5:',
    'no entry',
    'ann:x:1000:1000::/:/bin/sh',
    `${'l'.repeat(5000)}:x:6:`,
    `${'n'.repeat(257)}:x:8:`,
    'bob:x:1000:1000::/:/bin/sh',
    'esc\u001b[2J:x:9:9',
    ':x:10:',
    'last:x:4294967294:',
  ].join('\n')
  writeFileSync(join(root, 'etc/passwd'), text)
  const nameIn = (id: number): string | undefined => nameOf(fd, 'etc/passwd', id, quiet)
  assert.deepEqual([0, 5, 6, 8, 9, 10, 1000, 4_294_967_294].map(nameIn), [
    undefined,
    undefined,
    undefined,
    undefined,
    'esc\u001b[2J',
    undefined,
    'ann',
    'last',
  ])
})

test('of a million users those at the beginning have names, and the time is bounded', (t) => {
  const { fd, root } = rootOf(t)
  let text = ''
  for (let id = 0; id < 1_000_000; id++) text += `user${id}:x:${id}:${id}:A user:/home/user${id}:/bin/sh\n`
  writeFileSync(join(root, 'etc/passwd'), text)
  assert.equal(nameOf(fd, 'etc/passwd', 12_345, quiet), 'user12345')
  let pieces = 0
  assert.equal(
    nameOf(fd, 'etc/passwd', 999_999, () => (pieces += 1)),
    undefined,
  )
  assert.ok(pieces <= (MOST_BYTES >> 16) * 2, `${pieces} pieces were read`)
  // A line without an end is none.
  writeFileSync(join(root, 'etc/passwd'), `${'x'.repeat(3 << 19)}:x:1:\n`)
  assert.equal(nameOf(fd, 'etc/passwd', 1, quiet), undefined)
  writeFileSync(join(root, 'etc/passwd'), `${'x'.repeat(200_000)}:x:1:\nlate:x:1:\n`)
  assert.equal(nameOf(fd, 'etc/passwd', 1, quiet), 'late')
})

test('ids are those of the user namespace', () => {
  const map = '         0     100000      65536\n      5000       1000          1\n'
  const rows = [
    [100_000, 0],
    [100_033, 33],
    [165_535, 65_535],
    [165_536, undefined],
    [1000, 5000],
    [0, undefined],
  ] as const
  for (const [id, inside] of rows) assert.equal(mappedId(map, id), inside, String(id))
  assert.equal(mappedId('', 0), undefined)
})

test('a process of another place, or one that is gone, is not looked at', () => {
  assert.deepEqual(findUsers({ id: 'f'.repeat(64), pids: [process.pid, 2 ** 30], uid: 0 }, quiet), {
    unread: 'gone',
  })
})
