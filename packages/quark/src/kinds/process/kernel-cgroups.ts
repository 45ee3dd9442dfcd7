/** What the kernel tells about the names of cgroups. */

import { cstring, kernelString, probe, struct, tracepoint, u32, u64 } from '@quark/ebpf/probe'
import { RECORD_CGROUP_MKDIR, RECORD_CGROUP_RENAME } from './kernel.js'
import type { Cgroup } from './kernel-types.js'

/** A cgroup was made: its name is told here once, and records carry its id. */
export function cgroupMkdirProbe() {
  return probe(
    {
      name: 'quark_cgmkdir',
      type: RECORD_CGROUP_MKDIR,
      hook: tracepoint('cgroup_mkdir', [struct<Cgroup>('cgroup'), cstring('path')]),
    },
    (cgroup, name) => ({
      record: {
        id: u64(cgroup.kn.id),
        hierarchy: u32(cgroup.root.hierarchy_id),
        path: kernelString(name, 4096),
      },
    }),
  )
}

/** A cgroup was renamed (v1 only); `path` is its new name. */
export function cgroupRenameProbe() {
  return probe(
    {
      name: 'quark_cgrename',
      type: RECORD_CGROUP_RENAME,
      hook: tracepoint('cgroup_rename', [struct<Cgroup>('cgroup'), cstring('path')]),
    },
    (cgroup, name) => ({
      record: {
        id: u64(cgroup.kn.id),
        hierarchy: u32(cgroup.root.hierarchy_id),
        path: kernelString(name, 4096),
      },
    }),
  )
}
