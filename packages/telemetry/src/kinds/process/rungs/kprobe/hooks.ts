/**
 * The kernel functions at whose entry kprobes make the records of the probes. The probes are those of eBPF; only
 * the functions are declared here.
 */

import type { FunctionEntry, Probe } from 'quark-ebpf/probe'
import type { Complete, KprobeRung } from '../../../../facts/rungs.js'
import { PROC_EVENT_SID } from '../../kernel-ids.js'

/** Offset of `what` in the message that the declaration reads. */
const WHAT = 36

/** All functions of a choice are needed. They are called after what the probe reports. */
type Entries = readonly (readonly FunctionEntry[])[]

/** The caller is no argument: its parent stands for it, which CLONE_PARENT makes another process. */
const NEW_TASK: Entries = [
  [
    {
      function: 'wake_up_new_task',
      parameters: [undefined, 0],
      aliases: { 'parent.tgid': 'child.real_parent.tgid' },
    },
  ],
]

/** Kernels built without taskstats still end their tasks' counters. */
const END_OF_TASK: Entries = [
  [{ function: 'taskstats_exit', parameters: [0, 1] }],
  [{ function: 'perf_event_exit_task', parameters: [0, undefined] }],
]

const EXEC: Entries = [
  [
    {
      function: 'proc_exec_connector',
      parameters: [0, undefined, undefined],
      aliases: { 'bprm.file': 'task.mm.exe_file' },
    },
  ],
]

const NAME: Entries = [[{ function: '__set_task_comm', parameters: [0, 1] }]]

const IDS: Entries = [
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
      packet: { [WHAT]: { constant: PROC_EVENT_SID } },
    },
  ],
]

/** The functions for each record of a process. */
export const ENTRIES = {
  fork: NEW_TASK,
  exec: EXEC,
  exit: END_OF_TASK,
  ids: IDS,
  name: NAME,
} as const

/** A rung of one probe at the entry of functions. */
export function kprobeRung(probe: Probe, entries: Entries, complete?: Complete): KprobeRung {
  return { by: 'kprobe', hooks: [{ probe, entries, ...(complete === undefined ? {} : { complete }) }] }
}
