/** Probes of changes of user, group and session ids. */

import {
  inTask,
  and,
  constant,
  currentTask,
  eq,
  type fentry,
  type kprobe,
  mul,
  ne,
  or,
  packet,
  probe,
  procConnector,
  struct,
} from 'quark-ebpf/probe'
import { identity, type ProcessProbeSettings, userTask } from './kernel.js'
import { idChangeLayout } from './records.js'
import type { KernelCred, Task } from '../../process/kernel-types.js'

/** `struct proc_event` in a connector message: after nlmsghdr and cn_msg (include/uapi/linux/cn_proc.h). */
const PROC_EVENT_WHAT = 36
/** The ids of a process changed. The values are those of `enum proc_cn_event`. */
export const PROC_EVENT_UID = 0x4
export const PROC_EVENT_GID = 0x40
export const PROC_EVENT_SID = 0x80

/**
 * A process changed its user, group or session ids. The proc connector sends its message from within the
 * system call, after the change; the filter on its socket runs right there, writes the record into the
 * shared ring, and drops the message. No system call is slowed but those that change ids.
 */
export function idChangeProbe(settings: ProcessProbeSettings) {
  return probe(
    {
      name: 'quark_ids',
      record: idChangeLayout,
      hook: procConnector(PROC_EVENT_UID | PROC_EVENT_GID | PROC_EVENT_SID),
    },
    () => ({
      when: and(
        ne(and(packet(PROC_EVENT_WHAT, 4), PROC_EVENT_UID | PROC_EVENT_GID | PROC_EVENT_SID), 0),
        // The ids of other threads than the first are their own, and not the process's.
        eq(currentTask<Task>().pid, currentTask<Task>().tgid),
      ),
      fill: { what: packet(PROC_EVENT_WHAT, 4), ...identity(currentTask<Task>(), settings) },
    }),
  )
}

/** A way to hook a function: `fentry` or `kprobe`. */
type FunctionHook = typeof fentry | typeof kprobe

/**
 * A process is about to get new credentials: `commit_creds` is the one place where that happens. The record has
 * the new ones; those that go are in the task still.
 */
export function credsProbe(settings: ProcessProbeSettings, hook: FunctionHook) {
  return probe(
    {
      name: 'quark_creds',
      record: idChangeLayout,
      hook: inTask(hook('commit_creds', [struct<KernelCred>('cred', 'new')])),
    },
    (cred) => {
      const task = currentTask<Task>()
      const old = task.cred
      const uid = or(
        or(ne(cred.uid.val, old.uid.val), ne(cred.euid.val, old.euid.val)),
        ne(cred.suid.val, old.suid.val),
      )
      const gid = or(
        or(ne(cred.gid.val, old.gid.val), ne(cred.egid.val, old.egid.val)),
        ne(cred.sgid.val, old.sgid.val),
      )
      return {
        // The credentials of other threads than the first are their own, and not the process's.
        when: and(and(or(uid, gid), eq(task.pid, task.tgid)), userTask(task, settings)),
        fill: {
          what: or(mul(uid, PROC_EVENT_UID), mul(gid, PROC_EVENT_GID)),
          ...identity(task, settings, { cred }),
        },
      }
    },
  )
}

/** Functions that the kernel calls with the leader of a new session: which of them exists depends on its build. */
export const SESSION_FUNCTIONS = ['proc_sid_connector', 'sched_autogroup_create_attach'] as const

/** A process became the leader of a session of its own. */
export function sessionProbe(settings: ProcessProbeSettings, hook: FunctionHook, target: string) {
  return probe(
    {
      name: 'quark_setsid',
      record: idChangeLayout,
      hook: inTask(hook(target, [struct<Task>('task_struct', 'task')])),
    },
    (task) => ({
      when: userTask(task, settings),
      fill: { what: constant(PROC_EVENT_SID), ...identity(task, settings) },
    }),
  )
}
