/** The record that quark writes itself, one per process found in /proc, so that a replay has them too. */

import {
  constant,
  currentTask,
  kernelString,
  layoutOf,
  path,
  type RecordLayout,
  u32,
  userBytes,
} from 'quark-ebpf/probe'
import { identity, RECORD_SNAPSHOT } from './kernel.js'
import type { Task } from './kernel-types.js'

/** Largest argv and environment that a snapshot can hold; the limits of a queue are lower. */
const MAX_TAIL_BYTES = 4 << 20

function fields() {
  // Only the places of these fields count here, not where a program would read them.
  const task = currentTask<Task>()
  const settings = {
    maxArgvBytes: 0,
    maxEnvBytes: 0,
    cgroupHierarchy: 'unified',
    kernelThreads: false,
  } as const
  return {
    argvBytes: u32(constant(0)),
    envBytes: u32(constant(0)),
    ...identity(task, settings),
    cwd: path(task.fs.pwd, task.fs.root),
    exe: path(task.fs.pwd, task.fs.root),
    argv: userBytes(task.mm.arg_start, task.mm.arg_end, MAX_TAIL_BYTES),
    env: userBytes(task.mm.env_start, task.mm.env_end, MAX_TAIL_BYTES),
    cgroup: kernelString(constant(0), 4096),
  }
}

/** `startBootNs` is cut to clock ticks (10 ms); `cgroupId` is 0 and `cgroup` has the path. */
export const snapshotLayout: RecordLayout<ReturnType<typeof fields>> = layoutOf(
  RECORD_SNAPSHOT,
  'quark_snapshot',
  fields(),
)
