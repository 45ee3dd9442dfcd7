import type { RungSamples } from '../../../testing/rung-fields.js'
import { findCgroupHierarchy } from '../../../process/procfs/cgroup-mounts.js'
import { readLogin } from '../../../process/procfs/login.js'
import { scrapeProcess } from '../../../process/procfs/scan.js'
import { snapshotLayout } from '../records.js'
import { snapshotValues } from '../scrape.js'

/** The process that runs: all of it can be read. */
const found = scrapeProcess(process.pid, {
  maxArgvBytes: 4096,
  maxEnvBytes: 4096,
  hierarchy: findCgroupHierarchy()?.kind ?? 'unified',
})

export const rungSamples: RungSamples =
  found === undefined
    ? {}
    : { scanned: { layout: snapshotLayout, values: snapshotValues(found, undefined, readLogin(found.pid)) } }
