/** What the kernel tells about the names of cgroups. */

import { cstring, kernelString, probe, struct, tracepoint } from 'quark-ebpf/probe'
import { cgroupMkdirLayout, cgroupRenameLayout } from '../cgroup/records.js'
import type { Cgroup } from './kernel-types.js'

/** A cgroup was made: its name is told here once, and records carry its id. */
export function cgroupMkdirProbe() {
  return cgroupProbe('quark_cgmkdir', cgroupMkdirLayout, 'cgroup_mkdir')
}

/** A cgroup was renamed (v1 only); `path` is its new name. */
export function cgroupRenameProbe() {
  return cgroupProbe('quark_cgrename', cgroupRenameLayout, 'cgroup_rename')
}

function cgroupProbe(name: string, record: typeof cgroupMkdirLayout, target: string) {
  return probe(
    { name, record, hook: tracepoint(target, [struct<Cgroup>('cgroup'), cstring('path')]) },
    (cgroup, path) => ({
      fill: {
        id: cgroup.kn.id,
        hierarchy: cgroup.root.hierarchy_id,
        path: kernelString(path),
      },
    }),
  )
}
