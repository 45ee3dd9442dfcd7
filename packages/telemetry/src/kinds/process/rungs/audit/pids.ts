/** Finds the child of a fork: the system call returns the child's pid in the namespace of its caller. */

import { readLatin1, readLink } from '../../../../process/procfs/read.js'
import { readdirSync } from 'node:fs'

let ownNamespace: string | undefined

/**
 * The child's pid in the namespace of this process.
 *
 * @returns undefined when its parent is in another pid namespace and the child is gone
 */
export function childOf(callerPid: number, reportedPid: number): number | undefined {
  ownNamespace ??= readLink('/proc/self/ns/pid')
  const namespace = readLink(`/proc/${callerPid}/ns/pid`)
  if (namespace !== undefined && namespace !== ownNamespace) return childInNamespace(callerPid, reportedPid)
  return reportedPid
}

function childInNamespace(callerPid: number, reportedPid: number): number | undefined {
  for (const tid of list(`/proc/${callerPid}/task`)) {
    const children = readLatin1(`/proc/${callerPid}/task/${tid}/children`)?.trim().split(' ') ?? []
    for (const child of children) {
      // Its pids from the outermost namespace to its own; the caller may be in any between.
      const pids = /^NSpid:\t(.*)$/m.exec(readLatin1(`/proc/${child}/status`) ?? '')?.[1]?.split('\t') ?? []
      if (pids.slice(1).includes(String(reportedPid))) return Number(child)
    }
  }
  return undefined
}

/** Whether a number is that of a thread beside the first; undefined when it is gone and was not `seen` before. */
export function isThread(tid: number, seen: boolean): boolean | undefined {
  const tgid = /^Tgid:\t(\d+)$/m.exec(readLatin1(`/proc/${tid}/status`) ?? '')?.[1]
  if (tgid === undefined) return seen ? false : undefined
  return Number(tgid) !== tid
}

/** Whether a process has one thread, or none any more. */
export function isSingle(pid: number): boolean {
  return list(`/proc/${pid}/task`).length <= 1
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
