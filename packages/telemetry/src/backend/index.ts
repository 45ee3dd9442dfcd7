/** The backends: one line each. */

import type { QuarkSettings as Settings } from '../kinds/index.js'
import type { BackendName } from '../options/declare.js'
import type { Clock } from '../pipeline/clock.js'
import type { FactProbes } from '../event/fact.js'
import type { CgroupHierarchy } from '../process/procfs/cgroup-mounts.js'
import { openAudit } from './audit/audit.js'
import type { Backend } from './backend.js'
import { EbpfBackend } from './ebpf/ebpf.js'
import { openKprobe } from './kprobe/kprobe.js'
import { openProcConnector } from './proc-connector/proc-connector.js'

/** What a backend is opened with. */
export interface BackendContext {
  readonly settings: Settings
  readonly hierarchy: CgroupHierarchy | undefined
  readonly clock: Clock
  /** What the kinds want to learn. */
  readonly facts: readonly FactProbes[]
}

/** Opens a backend, or throws a `QuarkError` or `EbpfError` that says why it does not work here. */
export type OpenBackend = (context: BackendContext) => Backend

/** All backends, the best first. */
export const backends = {
  ebpf: ({ settings, facts }) =>
    EbpfBackend.open({ facts, ringSizeBytes: settings.ringSizeBytes, btf: settings.btf }),
  kprobe: openKprobe,
  audit: openAudit,
  procConnector: openProcConnector,
} as const satisfies Record<BackendName, OpenBackend>
