import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCgroupRoot } from './cgroup-root.js'

test('the root of cgroup2 is found among the mounts', () => {
  const cases: readonly [string, string | undefined][] = [
    ['30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw', '/sys/fs/cgroup'],
    ['30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n', '/sys/fs/cgroup/unified'],
    ['30 25 0:26 / /mnt/my\\040groups rw - cgroup2 none rw', '/mnt/my groups'],
    // A part of the hierarchy, as containers have it, is not all of it.
    ['30 25 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 none rw', undefined],
    ['30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu', undefined],
    ['', undefined],
  ]
  for (const [mounts, root] of cases) assert.equal(findCgroupRoot(mounts), root, mounts)
})
