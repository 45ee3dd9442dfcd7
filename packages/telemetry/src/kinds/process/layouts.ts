/** The layouts of all process records. */

import { MAX_TAIL_BYTES } from 'quark-ebpf/probe'
import {
  commProbe,
  execProbe,
  exitProbe,
  exitUsageProbe,
  forkProbe,
  threadExitProbe,
  threadForkProbe,
} from './kernel.js'
import { cgroupMkdirProbe, cgroupRenameProbe } from './kernel-cgroups.js'
import { execFailedProbe } from './kernel-failed-execs.js'
import { idChangeProbe } from './kernel-ids.js'

export { snapshotLayout } from './snapshot.js'

// Where fields lie does not depend on settings; how much of a tail may be captured does, and is all of it here.
const settings = {
  maxArgvBytes: MAX_TAIL_BYTES,
  maxEnvBytes: MAX_TAIL_BYTES,
  cgroupHierarchy: 'unified',
  kernelThreads: false,
} as const

export const forkLayout = forkProbe(settings).layout
export const execLayout = execProbe(settings).layout
export const exitLayout = exitProbe(settings).layout
export const exitUsageLayout = exitUsageProbe(settings).layout
export const idChangeLayout = idChangeProbe(settings).layout
export const commLayout = commProbe(settings).layout
export const threadForkLayout = threadForkProbe(settings).layout
export const threadExitLayout = threadExitProbe(settings).layout
export const execFailedLayout = execFailedProbe().layout
export const cgroupMkdirLayout = cgroupMkdirProbe().layout
export const cgroupRenameLayout = cgroupRenameProbe().layout
