/** Who sends the signals that end processes: kept in a map from the signal to the end, so that no further record is needed. */

import {
  and,
  at,
  cast,
  chars,
  constant,
  currentTask,
  eq,
  firstOf,
  ge,
  gt,
  ifThen,
  inTask,
  int,
  le,
  lookup,
  map,
  mul,
  ne,
  not,
  oneOf,
  or,
  pointer,
  probe,
  type Scalar,
  store,
  struct,
  sub,
  tracepoint,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Task } from '../../process/kernel-types.js'
import { startBootNs } from './kernel-start.js'
import { KILLED_BY_KERNEL, KILLED_BY_OOM, KILLED_BY_PROCESS } from './records.js'

interface SignalInfo {
  readonly si_code: Scalar
}

/** What a signal does that has no handler, unless it ends the process: nothing, or it stops or continues it (signal(7)). */
const HARMLESS = [
  17, // SIGCHLD
  18, // SIGCONT
  19, // SIGSTOP
  20, // SIGTSTP
  21, // SIGTTIN
  22, // SIGTTOU
  23, // SIGURG
  28, // SIGWINCH
]
/** `result` of a signal that was put into a queue (include/trace/events/signal.h). */
const DELIVERED = 0
/** Pointers that stand for a sender: the process that runs, and the kernel (include/linux/sched/signal.h). */
const SEND_SIG_PRIV = 1
/** `si_code` of signals that kill(2), sigqueue(3) and tgkill(2) sent. */
const BY_CALLS = [0, -1, -6]
const SIGNAL_MASK = 0x7f

const killers = map({
  name: 'quark_killers',
  type: 'lruHash',
  key: { startBootNs: u64, pid: u32, signal: u32 },
  value: { by: u32, pid: u32, uid: u32, comm: chars(16) },
  maxEntries: 4096,
})

/**
 * A signal was sent that ends its process, unless that takes it from the queue itself. Its last sender is kept. Those of
 * timers come in interrupts; they are of the kernel, so that the current task does not matter.
 */
export function killerProbe() {
  return probe(
    {
      name: 'quark_kill',
      hook: inTask(
        tracepoint('signal_generate', [
          int('sig', 4),
          pointer('info'),
          struct<Task>('task_struct', 'task'),
          int('group', 4),
          int('result', 4),
        ]),
      ),
    },
    (signal, info, task, _group, result) => {
      const { si_code: code } = cast<SignalInfo>('kernel_siginfo', info)
      const isOfCall = or(eq(info, 0), and(gt(info, SEND_SIG_PRIV), oneOf(code, BY_CALLS)))
      // Processes may claim that a timer or a queue sent theirs: whose such a signal is cannot be known.
      const isOfKernel = or(
        eq(info, SEND_SIG_PRIV),
        and(gt(info, SEND_SIG_PRIV), and(gt(code, 0), le(code, 0x7fff_ffff))),
      )
      const sender = currentTask<Task>()
      return {
        when: and(
          and(not(oneOf(signal, HARMLESS)), eq(result, DELIVERED)),
          and(ge(signal, 1), eq(at(task.sighand.action, sub(signal, 1)).sa.sa_handler, 0)),
        ),
        effects: [
          store(
            killers,
            { startBootNs: startBootNs(task.group_leader), pid: task.tgid, signal },
            {
              by: or(mul(isOfCall, KILLED_BY_PROCESS), mul(isOfKernel, KILLED_BY_KERNEL)),
              pid: sender.tgid,
              uid: sender.cred.uid.val,
              comm: sender.group_leader.comm,
            },
          ),
        ],
      }
    },
  )
}

/** Fields of an exit record: who sent the signal that ends the process of `task`. */
export function killerOf(task: Task) {
  const { signal, group_leader: leader } = task
  const number = and(signal.group_exit_code, SIGNAL_MASK)
  const found = lookup(killers, { startBootNs: startBootNs(leader), pid: task.tgid, signal: number })
  return {
    killedBy: firstOf(or(found.by, ifThen(ne(signal.oom_mm, 0), KILLED_BY_OOM)), found.by),
    killerPid: found.pid,
    killerUid: found.uid,
    killerComm: found.comm,
  }
}

/** The same without a program that could keep senders: only whether memory was short. The rest has no meaning then. */
export function oomKillerOf({ signal, group_leader: leader }: Task) {
  return {
    killedBy: mul(ne(signal.oom_mm, 0), KILLED_BY_OOM),
    killerPid: constant(0),
    killerUid: constant(0),
    killerComm: leader.comm,
  }
}
