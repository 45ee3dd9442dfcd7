import { firstOf, type Scalar } from 'quark-ebpf/probe'
import type { Task } from '../../process/kernel-types.js'

/** When a task began, in ns of CLOCK_BOOTTIME. */
export function startBootNs(task: Task): Scalar {
  // Renamed in 5.5.
  return firstOf(task.start_boottime, task.real_start_time)
}
