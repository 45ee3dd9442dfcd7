import type { Hook } from './hook.js'
import type { HookType } from './type.js'

/**
 * A filter on a socket that listens to the proc connector: it sees each message as `packet(…)`, in the task
 * that the message is about. Needs Linux 3.19 and CONFIG_PROC_EVENTS.
 *
 * @param events `PROC_EVENT_*` bits that are wanted; kernels before 6.6 send all of them
 */
export function procConnector(events: number): Hook<readonly []> {
  return { kind: 'socketFilter', target: 'proc_connector', arguments: [], events }
}

/** drivers/connector/cn_proc.c: `send_msg` disables preemption. 0 drops the message. */
export const socketFilterType = {
  kind: 'socketFilter',
  declared: 'procConnector(events)',
  runs: 'for each message of the proc connector, in the task that it is about',
  programs: {
    direct: { type: 'BPF_PROG_TYPE_SOCKET_FILTER', shownAs: 'socket_filter' },
    probeRead: { type: 'BPF_PROG_TYPE_SOCKET_FILTER', shownAs: 'socket_filter' },
  },
  levels: ['task'],
  preemption: 'never',
  exitValue: 0,
  arguments: 'none',
  output: 'ring',
  minKernel: { x64: '3.19', arm64: '3.19' },
} as const satisfies HookType
