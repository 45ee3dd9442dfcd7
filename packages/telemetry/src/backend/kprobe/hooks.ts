/**
 * At the entry of which kernel functions the probes' hooks are found again. The declarations are those of every
 * backend; here is only what differs when a function is entered instead.
 */

import type { FunctionEntry, Probe } from 'quark-ebpf/probe'

/** `PROC_EVENT_SID`, and where `what` lies in the message that the declaration looks at. */
const SID_CHANGED = 0x80
const WHAT = 36

const newTask: FunctionEntry = { function: 'wake_up_new_task', parameters: [undefined, 0] }

/** Kernels built without taskstats still end their tasks' counters. */
const endOfTask: readonly (readonly FunctionEntry[])[] = [
  [{ function: 'taskstats_exit', parameters: [0, 1] }],
  [{ function: 'perf_event_exit_task', parameters: [0, undefined] }],
]

/** All functions of a choice are needed. What the probe tells has happened when they are called. */
const FUNCTION_ENTRIES: Readonly<Record<string, readonly (readonly FunctionEntry[])[]>> = {
  quark_fork: [[newTask]],
  quark_tfork: [[newTask]],
  quark_exec: [
    [
      {
        function: 'proc_exec_connector',
        parameters: [0, undefined, undefined],
        aliases: { 'bprm.file': 'task.mm.exe_file' },
      },
    ],
  ],
  quark_exit: endOfTask,
  quark_texit: endOfTask,
  quark_comm: [[{ function: '__set_task_comm', parameters: [0, 1] }]],
  quark_ids: [
    [
      {
        function: 'proc_id_connector',
        parameters: [],
        currentTask: 0,
        packet: { [WHAT]: { parameter: 1 } },
      },
      {
        function: 'proc_sid_connector',
        parameters: [],
        currentTask: 0,
        packet: { [WHAT]: { constant: SID_CHANGED } },
      },
    ],
  ],
}

/** The choices for a probe, in order of preference; none when no function tells what it tells. */
export function entriesOf({ name, hook }: Probe): readonly (readonly FunctionEntry[])[] {
  // A hook of the declaration that is the entry of a function.
  const isEntry = hook.kind === 'kprobe' || hook.kind === 'fentry'
  if (isEntry) return [[{ function: hook.target, parameters: hook.arguments.map((_, index) => index) }]]
  return FUNCTION_ENTRIES[name] ?? []
}

/** Probes whose tracepoint tells all by itself, by name. */
export const TRACEPOINTS: Readonly<Record<string, { readonly category: string; readonly name: string }>> = {
  quark_cgmkdir: { category: 'cgroup', name: 'cgroup_mkdir' },
  quark_cgrename: { category: 'cgroup', name: 'cgroup_rename' },
}
