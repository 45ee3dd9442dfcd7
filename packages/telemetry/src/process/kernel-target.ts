/** How programs learn whom a system call is about. */

import {
  add,
  at,
  chars,
  containerOf,
  currentPidTgid,
  currentTask,
  type Elements,
  eq,
  fexit,
  firstOf,
  ifThen,
  inTask,
  int,
  kretprobe,
  lookup,
  map,
  ne,
  type Probe,
  probe,
  remove,
  type Scalar,
  store,
  struct,
  u32,
  u64,
  notPartlyInlined,
} from 'quark-ebpf/probe'
import type { Task } from './kernel-types.js'

/** The number of a task in a pid namespace of a level; 0 if it has none there. */
export function numberAt({ thread_pid: pid }: Task, level: Scalar): Scalar {
  return at(pid.numbers, level, add(pid.level, 1)).nr
}

/** How deep the pid namespace of the current task is nested. */
export function currentLevel(): Scalar {
  return currentTask<Task>().thread_pid.level
}

const startOf = ({ start_boottime, real_start_time }: Task): Scalar =>
  firstOf(start_boottime, real_start_time)

/** Whom the calls of threads are about, while they last. */
export function targetsMap(name: string) {
  return map({
    name,
    type: 'lruHash',
    key: u64,
    value: { number: u32, pid: u32, startBootNs: u64, comm: chars(16) },
    maxEntries: 4096,
  })
}
type Targets = ReturnType<typeof targetsMap>

/** The function that finds a task by the number that a caller gave. */
const FINDER = 'find_get_task_by_vpid'

/**
 * Notes the task that the kernel finds for ptrace(2) and process_vm_readv(2).
 *
 * @param name of the program
 */
export function targetProbes(name: string, targets: Targets): { fexit: Probe; kretprobe: Probe } {
  const task = struct<Task>('task_struct', 'task')
  const note = (found: Task) => ({
    when: ne(found.tgid, 0),
    effects: [
      store(targets, currentPidTgid(), {
        number: numberAt(found, currentLevel()),
        pid: found.tgid,
        startBootNs: startOf(found.group_leader),
        comm: found.group_leader.comm,
      }),
    ],
  })
  return {
    fexit: probe(
      { name, hook: notPartlyInlined(inTask(fexit(FINDER, [int('nr', 4)], task))) },
      (_nr, found) => note(found),
    ),
    kretprobe: probe({ name, hook: notPartlyInlined(inTask(kretprobe(FINDER, task))) }, (found) =>
      note(found),
    ),
  }
}

/** Fields of a record about a target that was noted, if it is the one with the number. */
export function notedTarget(targets: Targets, id: Scalar) {
  const found = lookup(targets, currentPidTgid())
  const isIt = eq(found.number, id)
  return {
    targetId: id,
    callerLevel: currentLevel(),
    targetPid: ifThen(isIt, found.pid),
    targetStartBootNs: ifThen(isIt, found.startBootNs),
    targetComm: found.comm,
  }
}

/** Forgets what was noted. */
export function forgetTarget(targets: Targets) {
  return remove(targets, currentPidTgid())
}

/** `struct pid`. */
export interface KernelPid {
  readonly tasks: Elements<{ readonly first: Scalar }>
}

/** Fields of a record about the process or thread of a `struct pid`. */
export function pidTarget(pid: KernelPid) {
  const task = containerOf<Task>('task_struct', 'pid_links', at(pid.tasks, 0).first)
  return {
    targetId: numberAt(task, currentLevel()),
    callerLevel: currentLevel(),
    targetPid: task.tgid,
    targetStartBootNs: startOf(task.group_leader),
    targetComm: task.group_leader.comm,
  }
}

/** Fields of a record about a target of which no more is known than the caller’s number: the name is another one’s. */
export function numberedTarget(id: Scalar) {
  return {
    targetId: id,
    callerLevel: currentLevel(),
    targetPid: 0,
    targetStartBootNs: 0,
    targetComm: currentTask<Task>().comm,
  }
}

/** Fields of a record about a task, if the caller’s number is its own. */
export function taskTarget(task: Task, id: Scalar) {
  const isIt = eq(numberAt(task, currentLevel()), id)
  return {
    targetId: id,
    callerLevel: currentLevel(),
    targetPid: ifThen(isIt, task.tgid),
    targetStartBootNs: ifThen(isIt, startOf(task.group_leader)),
    targetComm: task.group_leader.comm,
  }
}
