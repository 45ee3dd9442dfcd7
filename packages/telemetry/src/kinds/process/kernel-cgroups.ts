/** What the kernel tells about the names of cgroups. */

import { cstring, kernelString, probe, struct, tracepoint, u32, u64 } from 'quark-ebpf/probe'
import { RECORD_CGROUP_MKDIR, RECORD_CGROUP_RENAME } from './kernel.js'
import type { Cgroup } from './kernel-types.js'

/** A cgroup was made: its name is told here once, and records carry its id. */
export function cgroupMkdirProbe() {
  return cgroupProbe('quark_cgmkdir', RECORD_CGROUP_MKDIR, 'cgroup_mkdir')
}

/** A cgroup was renamed (v1 only); `path` is its new name. */
export function cgroupRenameProbe() {
  return cgroupProbe('quark_cgrename', RECORD_CGROUP_RENAME, 'cgroup_rename')
}

function cgroupProbe(name: string, type: number, target: string) {
  return probe(
    { name, type, hook: tracepoint(target, [struct<Cgroup>('cgroup'), cstring('path')]) },
    (cgroup, path) => ({
      record: {
        id: u64(cgroup.kn.id),
        hierarchy: u32(cgroup.root.hierarchy_id),
        path: kernelString(path, 4096),
      },
    }),
  )
}
