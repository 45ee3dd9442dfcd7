import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CgroupNames } from './cgroup-names.js'
import { findCgroupHierarchy } from './procfs/cgroup-mounts.js'
import { scrapeProcess } from './procfs/scan.js'

test('the name of a cgroup by its id is the one that /proc shows for a process in it', async () => {
  const hierarchy = findCgroupHierarchy()
  assert.ok(hierarchy !== undefined, 'no cgroup hierarchy is mounted')
  const name = `quark-names-${process.pid}`
  const directory = join(hierarchy.mountPoint, name)
  mkdirSync(directory)
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' })
  try {
    await once(child, 'spawn')
    writeFileSync(join(directory, 'cgroup.procs'), `${child.pid}`)

    const names = new CgroupNames({ hierarchy })
    names.scan()
    const path = names.pathOf(statSync(directory, { bigint: true }).ino)
    const scraped = scrapeProcess(child.pid ?? 0, {
      maxArgvBytes: 0,
      maxEnvBytes: 0,
      hierarchy: hierarchy.kind,
    })
    assert.equal(path, hierarchy.mountRoot === '/' ? `/${name}` : `${hierarchy.mountRoot}/${name}`)
    assert.equal(Buffer.from(scraped?.cgroup ?? []).toString(), path)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmdirSync(directory)
  }
})
