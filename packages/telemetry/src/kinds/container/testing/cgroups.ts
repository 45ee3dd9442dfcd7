/** Cgroups that are named as those of containers, and the events of what runs in them. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { findCgroupHierarchy } from '../../../process/procfs/cgroup-mounts.js'
import type { Quark } from '../../../quark.js'
import type { QuarkEvent } from '../../index.js'
import { ID } from './fakes.js'

/** A cgroup with the name of a container of Docker, which goes with the test. */
export function containerCgroup(t: TestContext, id = ID): string {
  const hierarchy = findCgroupHierarchy()
  assert.ok(hierarchy !== undefined, 'no cgroup hierarchy is mounted')
  const parent = join(hierarchy.mountPoint, 'docker')
  const path = join(parent, id)
  mkdirSync(path, { recursive: true })
  t.after(() => {
    for (const folder of [path, parent]) {
      try {
        rmdirSync(folder)
      } catch {
        // A runtime of this machine may use it.
      }
    }
  })
  return path
}

/** Runs a program in a cgroup to its end. */
export function runIn(cgroup: string, word: string): void {
  spawnSync('/bin/sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs; exec /bin/true ${word}`])
}

/** Takes events until one has a property, or the time is over. */
export async function takeUntil(
  quark: Quark,
  events: QuarkEvent[],
  isLast: (event: QuarkEvent) => boolean,
  limitMs = 20_000,
): Promise<QuarkEvent | undefined> {
  const end = performance.now() + limitMs
  while (performance.now() < end) {
    const batch = quark.poll()
    events.push(...batch)
    const found = batch.find(isLast)
    if (found !== undefined) return found
    await quark.wait(50)
  }
  return undefined
}
