import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deviceNumber, deviceText, fileSystemsOf, mountsIn, numberOfDev } from './mounts.js'
import { joinedPath } from './paths.js'
import { isPseudoPath } from './pseudo.js'
import { Selection } from './selection.js'

test('fileSystemsOf() has each file system once, where all of it is seen', () => {
  const table = `
22 1 8:1 /sub /bind rw - ext4 /dev/sda1 rw
23 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
24 23 0:5 / /a\\040b rw master:1 - tmpfs none rw
garbage
25 23 0:6 /x /y rw - btrfs /dev/sdb rw
`
  assert.deepEqual(fileSystemsOf(table), [
    { device: deviceNumber(8, 1), type: 'ext4', place: '/', isWhole: true, isHidden: false },
    { device: 5, type: 'tmpfs', place: '/a b', isWhole: true, isHidden: false },
    { device: 6, type: 'btrfs', place: '/y', isWhole: false, isHidden: false },
  ])
})

test('fileSystemsOf() knows to which of them no path leads', () => {
  const table = `
1 1 0:1 / / rw - rootfs none rw
2 1 0:2 / / rw - ext4 /dev/sda rw
3 2 0:3 / /shm rw - tmpfs none rw
4 3 0:4 / /shm rw - tmpfs none rw
5 2 0:5 / /a/b rw - tmpfs none rw
6 5 0:6 / /a/b/c rw - tmpfs none rw
7 2 0:7 / /a rw - tmpfs none rw
8 7 0:5 /x /a/d rw - tmpfs none rw
9 2 0:8 / /aa rw - tmpfs none rw
10 4 0:3 /y /shm/y rw - tmpfs none rw
`
  const found = fileSystemsOf(table)
  const namesOf = (hidden: boolean) =>
    found.filter(({ isHidden }) => isHidden === hidden).map(({ device, place }) => `${device} ${place}`)
  // Of a file system with a hidden place and another one, the other one is taken, though not all of it is seen there.
  assert.deepEqual(namesOf(false), ['2 /', '3 /shm/y', '4 /shm', '5 /a/d', '7 /a', '8 /aa'])
  assert.deepEqual(namesOf(true), ['1 /', '6 /a/b/c'])
  assert.deepEqual(
    mountsIn(table, ['/shm', '/a']).map(({ place, isHidden }) => [place, isHidden]),
    [
      ['/shm', true],
      ['/shm', false],
      ['/a/b', true],
      ['/a/b/c', true],
      ['/a', false],
      ['/a/d', false],
      ['/shm/y', false],
    ],
  )
  assert.deepEqual(
    new Selection(['/a/b/z']).fileSystems(table).map(({ device }) => device),
    [7],
  )
})

test('numbers of devices are those of the kernel', () => {
  assert.equal(numberOfDev(0x801n), deviceNumber(8, 1))
  assert.equal(deviceText(deviceNumber(259, 1_048_575)), '259:1048575')
})

test('joinedPath() looks at the text only', () => {
  for (const [base, name, path] of [
    ['/a/b', 'c', '/a/b/c'],
    ['/a/b', '../c', '/a/c'],
    ['/a', '../../../c', '/c'],
    ['/', './/c/.', '/c'],
    [undefined, '/x/../y', '/y'],
    [undefined, 'x', undefined],
  ] as const)
    assert.equal(joinedPath(base, name), path)
})

test('Selection has what lies below paths, and names that match', () => {
  const selection = new Selection(['/etc/', '/srv/*.[ck]ey', '/var/log/?'])
  for (const [path, is] of [
    ['/etc', true],
    ['/etc/passwd', true],
    ['/etcetera', false],
    ['/srv/a/b.key', true],
    ['/srv/b.cey', true],
    ['/srv/b.xey', false],
    ['/var/log/x', true],
    ['/var/log/xy', false],
  ] as const)
    assert.equal(selection.wants(path), is, path)
  assert.equal(selection.isAll, false)
  const all = new Selection(true)
  assert.ok(all.isAll && all.wants('/x'))
  assert.equal(all.wants('/proc/self/comm'), false)
  assert.equal(all.kernel(), undefined)
  assert.equal(new Selection(['/']).kernel(), undefined)
  assert.ok((new Selection(['/usr']).kernel()?.devices.length ?? 0) > 0)
  assert.ok(isPseudoPath('/sys/fs/cgroup/x'))
})

test('of what is no directory, or not there, programs compare the nearest one above', (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'f'), '')
  const inode = (path: string) => statSync(path, { bigint: true }).ino
  const [top, a] = [inode(folder), inode(join(folder, 'a'))]
  for (const [paths, roots, certain] of [
    [['a'], [a], [a]],
    [['f'], [top], []],
    [['later/still'], [top], []],
    [['f', 'a'], [top, a], [a]],
    [['a/*.x'], [a], [a]],
    [['a', 'a/later'], [a], [a]],
  ] as const) {
    const kernel = new Selection(paths.map((path) => join(folder, path))).kernel()
    const inodesOf = (some: readonly { readonly inode: bigint }[] = []) => some.map((one) => one.inode)
    assert.deepEqual(inodesOf(kernel?.roots), roots, String(paths))
    assert.deepEqual(inodesOf(kernel?.certain), certain, String(paths))
  }
  assert.deepEqual(new Selection([join(folder, 'a'), join(folder, 'x/y')]).absent(), [join(folder, 'x/y')])
})

const TABLE = `
23 1 8:1 / / rw - ext4 /dev/sda1 rw
24 23 0:5 / /tmp rw - tmpfs none rw
25 23 8:2 / /home rw - ext4 /dev/sdb rw
26 25 0:6 / /home/a/mnt rw - tmpfs none rw
27 23 8:3 /x /srv rw - ext4 /dev/sdc rw
28 27 8:4 / /srv rw - ext4 /dev/sdd rw
`

test('Selection has the file systems of its directories, and those that are mounted below', () => {
  const placesOf = (files: boolean | string[]) =>
    new Selection(files).fileSystems(TABLE).map(({ place }) => place)
  for (const [files, places] of [
    [true, ['/', '/tmp', '/home', '/home/a/mnt', '/srv', '/srv']],
    [['/'], ['/', '/tmp', '/home', '/home/a/mnt', '/srv', '/srv']],
    [['/etc'], ['/']],
    [
      ['/etc/*.conf', '/tmp/not/there'],
      ['/', '/tmp'],
    ],
    [['/home/a'], ['/home', '/home/a/mnt']],
    [['/home/b'], ['/home']],
    [['/homes'], ['/']],
    // What is mounted on top is what is there.
    [['/srv/data'], ['/srv']],
  ] as const)
    assert.deepEqual(placesOf(files as boolean | string[]), places, String(files))
  const [onTop] = new Selection(['/srv/data']).fileSystems(TABLE)
  assert.equal(onTop?.device, deviceNumber(8, 4))
})

test('Selection says in which directories something may be wanted', () => {
  const selection = new Selection(['/etc/ssl', '/srv/*.key'])
  for (const [directory, may] of [
    ['/etc', true],
    ['/etc/ssl', true],
    ['/etc/ssl/certs', true],
    ['/etc/ssh', false],
    ['/', true],
    ['/srv/a/b', true],
    ['/home', false],
  ] as const)
    assert.equal(selection.mayHave(directory), may, directory)
  assert.ok(new Selection(true).mayHave('/x'))
})
