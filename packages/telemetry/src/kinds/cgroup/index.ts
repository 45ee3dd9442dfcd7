import { CgroupNames, cgroupNamesBytes } from '../../process/cgroup-names.js'
import type { Kind } from '../kind.js'
import { applyCgroupMkdir, applyCgroupRename } from './apply.js'
import { cgroupFacts } from './facts.js'
import { cgroupMkdirLayout, cgroupRenameLayout } from './records.js'

/** Names of cgroups, which other kinds show of a process. It has no events of its own. */
export const cgroupKind: Kind<Record<never, never>, readonly []> = {
  name: 'cgroup',
  number: 1,
  options: {},
  facts: cgroupFacts,
  table: ({ settings, hierarchy, cgroupHierarchyId }) => {
    const names = new CgroupNames({
      hierarchy,
      hierarchyId: cgroupHierarchyId,
      maxBytes: cgroupNamesBytes(settings.maxTableBytes),
    })
    names.scan()
    return names
  },
  records: [
    { name: 'cgroupMkdir', layout: cgroupMkdirLayout, apply: applyCgroupMkdir, formerType: 6 },
    { name: 'cgroupRename', layout: cgroupRenameLayout, apply: applyCgroupRename, formerType: 7 },
  ],
  factLabels: { cgroupNames: 'cgroup names' },
  joins: { default: [], minimal: [] },
  events: [],
}
