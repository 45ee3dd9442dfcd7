/** Probes that fill the records of cgroups in the kernel. */

import { cstring, inTask, kernelString, probe, struct, tracepoint } from 'quark-ebpf/probe'
import { cgroupMkdirLayout, cgroupRenameLayout } from './records.js'
import type { Cgroup } from '../../process/kernel-types.js'

/** A cgroup was made. */
export function cgroupMkdirProbe() {
  return cgroupProbe('quark_cgmkdir', cgroupMkdirLayout, 'cgroup_mkdir')
}

/** A cgroup was renamed (v1 only). */
export function cgroupRenameProbe() {
  return cgroupProbe('quark_cgrename', cgroupRenameLayout, 'cgroup_rename')
}

function cgroupProbe(name: string, record: typeof cgroupMkdirLayout, target: string) {
  return probe(
    { name, record, hook: inTask(tracepoint(target, [struct<Cgroup>('cgroup'), cstring('path')])) },
    (cgroup, path) => ({
      fill: {
        id: cgroup.kn.id,
        hierarchy: cgroup.root.hierarchy_id,
        path: kernelString(path),
      },
    }),
  )
}
