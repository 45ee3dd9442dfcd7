/** The probe of execs that failed. */

import { add, callArgument, currentTask, isCall, mul, ne, probe, sysExit, userString } from 'quark-ebpf/probe'
import { startBootNs } from './kernel-start.js'
import { execFailedLayout } from './records.js'
import type { Task } from '../../process/kernel-types.js'

/**
 * An execve(2) or execveat(2) failed. Enabling this tracepoint puts every system call of the machine on the
 * kernel's slower path; there is no other hook that sees all failures.
 */
export function execFailedProbe() {
  return probe(
    {
      name: 'quark_execfail',
      record: execFailedLayout,
      hook: sysExit(['execve', 'execveat']),
    },
    (call, result) => {
      const filename = add(
        mul(isCall(call, 'execve'), callArgument(call, 0)),
        mul(isCall(call, 'execveat'), callArgument(call, 1)),
      )
      const task = currentTask<Task>()
      return {
        when: ne(result, 0),
        fill: {
          pid: task.tgid,
          tid: task.pid,
          startBootNs: startBootNs(task.group_leader),
          result,
          filename: userString(filename),
        },
      }
    },
  )
}
