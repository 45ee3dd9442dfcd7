import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceNumber, deviceText, fileSystemsOf, numberOfDev } from './mounts.js'
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
    { device: deviceNumber(8, 1), type: 'ext4', place: '/', isWhole: true },
    { device: 5, type: 'tmpfs', place: '/a b', isWhole: true },
    { device: 6, type: 'btrfs', place: '/y', isWhole: false },
  ])
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
  assert.equal(new Selection(['/does-not-exist']).kernel(), undefined)
  assert.equal(new Selection(['/']).kernel(), undefined)
  assert.ok((new Selection(['/usr']).kernel()?.devices.length ?? 0) > 0)
  assert.ok(isPseudoPath('/sys/fs/cgroup/x'))
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
