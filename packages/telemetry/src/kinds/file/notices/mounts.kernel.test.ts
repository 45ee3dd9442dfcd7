/** What is mounted is looked at without keeping anybody from unmounting it. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mountAt, MountCopy } from 'quark-ebpf'
import { findMount, readMountTable } from '../../../files/mounts.js'
import { mountedAt, type MountPlace } from './mounts.js'

function mount(...args: readonly string[]): string {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' })
  return status === 0 ? '' : stderr
}

/** A tmpfs with a file; undefined if none can be mounted. */
function tmpfs(t: TestContext): MountPlace | undefined {
  const place = join(realpathSync(mkdtempSync(join(tmpdir(), 'quark-mounts-'))), 'm')
  mkdirSync(place)
  t.after(() => {
    while (spawnSync('umount', [place], { stdio: 'ignore' }).status === 0);
    rmSync(join(place, '..'), { recursive: true, force: true })
  })
  const refusal = mount('-t', 'tmpfs', 'none', place)
  if (refusal !== '') {
    t.skip(refusal)
    return undefined
  }
  writeFileSync(join(place, 'f'), '')
  const { device } = findMount(readMountTable(), mountAt(place)?.id ?? -1) ?? {}
  assert.ok(device !== undefined)
  return { place, device }
}

test('what is looked at can be unmounted, and is there until then', (t) => {
  const mounted = tmpfs(t)
  if (mounted === undefined) return
  using copy = mountedAt(mounted, readMountTable())
  assert.ok(copy instanceof MountCopy)
  assert.equal(copy.device, mounted.device)
  const { status, stderr } = spawnSync('umount', [mounted.place], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.deepEqual(readdirSync(copy.reference), ['f'])
})

test('another file system than the table has is not looked at', (t) => {
  const mounted = tmpfs(t)
  if (mounted === undefined) return
  const before = readMountTable()
  assert.equal(mountedAt({ ...mounted, device: mounted.device + 1 }, before), undefined)
  assert.equal(mount('-t', 'tmpfs', 'none', mounted.place), '')
  assert.equal(mountedAt(mounted, before), undefined)
  assert.equal(mountedAt(mounted, readMountTable()), undefined)
  for (let i = 0; i < 2; i++) assert.equal(spawnSync('umount', [mounted.place]).status, 0)
  assert.equal(mountedAt(mounted, before), undefined)
})

test('what cannot be copied is opened', (t) => {
  const mounted = tmpfs(t)
  if (mounted === undefined) return
  const refusal = mount('--make-unbindable', mounted.place)
  if (refusal !== '') return t.skip(refusal)
  using file = mountedAt(mounted, readMountTable())
  assert.ok(file !== undefined && !(file instanceof MountCopy))
  assert.deepEqual(readdirSync(file.reference), ['f'])
})
