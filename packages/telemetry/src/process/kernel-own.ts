/** How programs recognise the process of the queue. */

import { statSync } from 'node:fs'
import { add, and, at, constant, currentTask, type Elements, eq, type Scalar } from 'quark-ebpf/probe'

interface OwnTask {
  readonly group_leader: {
    readonly thread_pid: {
      readonly level: Scalar
      readonly numbers: Elements<{
        readonly nr: Scalar
        readonly ns: { readonly ns: { readonly inum: Scalar } }
      }>
    }
  }
}

/** 1 in a task of this process, whose pid means something in its own pid namespace only. */
export function isOwnProcess(): Scalar {
  const { numbers, level } = currentTask<OwnTask>().group_leader.thread_pid
  const own = at(numbers, level, add(level, 1))
  const namespace = ownNamespace()
  if (namespace === undefined) return constant(0)
  return and(eq(own.nr, process.pid), eq(own.ns.ns.inum, namespace))
}

/** Inode number of the pid namespace; undefined where /proc does not show it. */
function ownNamespace(): number | undefined {
  try {
    return statSync('/proc/self/ns/pid').ino
  } catch {
    return undefined
  }
}
