/** Facts about cgroups, beside a scan of their file system. */

import { dynamicBytes, type RecordLayout } from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import type { TracepointHook } from '../../facts/rungs.js'
import { cgroupMkdirProbe, cgroupRenameProbe } from './kernel.js'

/** A record of a process in a new cgroup must not precede the cgroup's name. */
const BEFORE_ALL = -1

/** Names of cgroups that are made or renamed. */
export function cgroupFacts(): Fact[] {
  const mkdir = cgroupMkdirProbe()
  const rename = cgroupRenameProbe()
  return [
    {
      name: 'cgroupNames',
      required: false,
      order: BEFORE_ALL,
      rungs: [
        { by: 'ebpf', probes: [mkdir, rename] },
        {
          by: 'kprobe',
          hooks: [nameHook('cgroup_mkdir', mkdir.record), nameHook('cgroup_rename', rename.record)],
        },
      ],
      lacking: {
        audit: 'audit does not report new cgroups: they are found by a scan',
        procConnector: 'no message reports new cgroups: they are found by a scan when a process is in one',
      },
      losses: [
        { without: 'cgroups', costs: ['cgroup', 'container'] },
        { without: 'cgroupRoot', costs: ['cgroup paths begin at its root'] },
      ],
    },
  ]
}

/** The tracepoint has all that its record needs. */
function nameHook(name: string, layout: RecordLayout): TracepointHook {
  return {
    category: 'cgroup',
    name,
    layout,
    bind: (fields) => {
      const root = fields.get('root')
      const id = fields.get('id')
      const path = fields.get('path')
      if (root === undefined || path === undefined || id?.sizeBytes !== 8) return undefined
      const minBytes = Math.max(root.offset + 4, id.offset + 8, path.offset + 4)
      return (raw) => {
        if (raw.length < minBytes) return undefined
        const text = dynamicBytes(raw, path)
        const end = text.indexOf(0)
        return {
          id: raw.readBigUInt64LE(id.offset),
          hierarchy: raw.readUInt32LE(root.offset),
          path: text.subarray(0, end === -1 ? text.length : end),
        }
      }
    },
  }
}
