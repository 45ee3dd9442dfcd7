import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { findCgroupHierarchy, fromHierarchyRoot, parseCgroupMounts } from './cgroup-mounts.js'

const top = mkdtempSync(join(tmpdir(), 'quark-mounts-'))
after(() => rmSync(top, { recursive: true }))

const ROOT = '21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n'
const MEMORY = '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n'
const PIDS = '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:3 - cgroup cgroup rw,cpu,pids\n'
const V2 = '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 master:2 - cgroup2 cgroup2 rw\n'
const V2_PART = '42 31 0:38 /docker/abc /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n'

let trees = 0

function find(mountinfo: string, cgroup: string) {
  const procPath = join(top, `proc${trees++}`)
  mkdirSync(join(procPath, 'self'), { recursive: true })
  writeFileSync(join(procPath, 'self/mountinfo'), mountinfo)
  writeFileSync(join(procPath, 'self/cgroup'), cgroup)
  return findCgroupHierarchy(procPath)
}

test('findCgroupHierarchy() prefers v2, and the mount that shows most', () => {
  const unified = { kind: 'unified', mountPoint: '/sys/fs/cgroup/unified', mountRoot: '/', hierarchyId: 0 }
  const pids = { kind: 'pids', mountPoint: '/sys/fs/cgroup/pids', mountRoot: '/', hierarchyId: 8 }
  const v1 = '9:memory:/m\n8:cpu,pids:/\n'
  const cases = [
    { name: 'v2', mountinfo: ROOT + V2, cgroup: '0::/\n', expected: unified },
    { name: 'hybrid', mountinfo: ROOT + MEMORY + PIDS + V2, cgroup: `${v1}0::/\n`, expected: unified },
    { name: 'v1', mountinfo: ROOT + MEMORY + PIDS, cgroup: v1, expected: pids },
    { name: 'v1 without pids', mountinfo: ROOT + MEMORY, cgroup: '9:memory:/m\n', expected: undefined },
    { name: 'nothing', mountinfo: ROOT, cgroup: '', expected: undefined },
    { name: 'two mounts', mountinfo: V2_PART + V2, cgroup: '0::/\n', expected: unified },
    {
      name: 'a part of the hierarchy',
      mountinfo: ROOT + V2_PART,
      cgroup: '0::/\n',
      expected: { ...unified, mountPoint: '/sys/fs/cgroup', mountRoot: '/docker/abc' },
    },
  ]
  for (const { name, mountinfo, cgroup, expected } of cases) {
    assert.deepEqual(find(mountinfo, cgroup), expected, name)
  }
  assert.equal(findCgroupHierarchy(join(top, 'missing')), undefined)
})

test('parseCgroupMounts() skips broken lines and reads escapes', () => {
  assert.deepEqual(parseCgroupMounts('\n - cgroup2\n41 31 0:38 / - cgroup2 a b\n41 31\n'), [])
  const [mount] = parseCgroupMounts('41 31 0:38 / /a\\040b\\134\\303\\251 rw - cgroup2 none rw')
  assert.equal(mount?.mountPoint, '/a b\\é')
})

test('in a cgroup namespace whose place is unknown, the hierarchy is marked as that of a namespace', () => {
  const procPath = join(top, 'namespace')
  mkdirSync(join(procPath, 'self/ns'), { recursive: true })
  symlinkSync('cgroup:[5]', join(procPath, 'self/ns/cgroup'))
  writeFileSync(join(procPath, 'self/cgroup'), '0::/\n')
  const above = '43 31 0:38 /../.. /missing/whole rw,relatime - cgroup2 cgroup2 rw\n'
  const own = '41 31 0:38 / /missing/own rw,relatime - cgroup2 cgroup2 rw\n'
  writeFileSync(join(procPath, 'self/mountinfo'), above + own)
  assert.deepEqual(findCgroupHierarchy(procPath), {
    kind: 'unified',
    mountPoint: '/missing/own',
    mountRoot: '/',
    hierarchyId: 0,
    isFromNamespace: true,
  })
})

test('fromHierarchyRoot() leads a path of a namespace to the root of the hierarchy', () => {
  for (const [path, namespaceRoot, expected] of [
    ['/a', undefined, '/a'],
    ['/', '/outer/agent', '/outer/agent'],
    ['/x', '/outer/agent', '/outer/agent/x'],
    ['/../web', '/outer/agent', '/outer/web'],
    ['/../..', '/outer/agent', '/'],
  ] as const) {
    assert.equal(fromHierarchyRoot(path, namespaceRoot), expected)
  }
})
