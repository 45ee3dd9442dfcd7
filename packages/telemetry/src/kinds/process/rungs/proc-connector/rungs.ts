/** Rungs of the proc connector for facts about processes. */

import { clockNs } from 'quark-ebpf'
import type { Lack, MakerSpec, ProcConnectorRung, TimedProcMessage } from '../../../../facts/rungs.js'
import type { Surroundings } from '../../../kind.js'
import type { ProcessSettings } from '../../options.js'
import {
  commLayout,
  execLayout,
  exitLayout,
  forkLayout,
  idChangeLayout,
  threadExitLayout,
  threadForkLayout,
} from '../../records.js'
import { scanLiveProcesses } from '../live-processes.js'
import { NO_KILLER, NO_LOGIN, noLogin } from '../leaves.js'
import { ProcConnectorRecords } from './records.js'

/** Files of a process, and what they add to the records. */
const PROCFS = {
  stat: 'ppid, pgid, sid, tty, start time, comm',
  status: 'user and group ids, capabilities',
  cmdline: 'argv',
  'cwd, exe, root': 'paths',
  ns: 'namespaces',
  cgroup: 'cgroup',
}

function maker({ settings, hierarchy }: Surroundings<ProcessSettings>): MakerSpec<TimedProcMessage> {
  return {
    adds: Object.entries(PROCFS).map(([file, what]) => ({
      what,
      hook: `/proc/PID/${file}`,
      flavor: 'procfs',
    })),
    open: ({ records }) =>
      new ProcConnectorRecords(settings, hierarchy, records, scanLiveProcesses(clockNs('boottime'))),
  }
}

/** The rungs of facts, by what they report. /proc has the number of a tty as one, so that `ttyIndex` stays 0. */
export function procConnectorRungs(surroundings: Surroundings<ProcessSettings>) {
  const shared = { by: 'procConnector', maker: maker(surroundings) } as const
  return {
    exit: {
      ...shared,
      messages: 'PROC_EVENT_EXIT',
      fills: [exitLayout],
      leaves: ['exit.comm', ...NO_KILLER],
      lacks: surroundings.settings.usage ? [NO_USAGE] : [],
    },
    commChange: {
      ...shared,
      messages: 'PROC_EVENT_COMM',
      fills: [commLayout],
      lacks: [
        {
          what: 'commChange through /proc',
          reason: 'before Linux 5.16 no message reports names that are written to /proc/PID/comm',
          until: '5.16',
        },
      ],
    },
    idChange: {
      ...shared,
      messages: 'PROC_EVENT_UID, _GID, _SID',
      fills: [idChangeLayout],
      leaves: ['idChange.ttyIndex', ...noLogin('idChange')],
    },
    exec: {
      ...shared,
      messages: 'PROC_EVENT_EXEC',
      fills: [execLayout],
      leaves: ['exec.ttyIndex', ...noLogin('exec')],
    },
    fork: {
      ...shared,
      messages: 'PROC_EVENT_FORK',
      fills: [forkLayout],
      leaves: ['fork.creatorPid', 'fork.ttyIndex', ...noLogin('fork')],
      lacks: [SHORT_LIVED, NO_LOGIN],
    },
    threads: {
      ...shared,
      messages: 'PROC_EVENT_FORK, _EXIT',
      fills: [threadForkLayout, threadExitLayout],
      leaves: ['threadExit.comm'],
      lacks: [THREADS_THAT_EXEC],
    },
  } satisfies Record<string, ProcConnectorRung>
}

/** Of kprobes and the proc connector: neither reports which thread it was. */
export const THREADS_THAT_EXEC: Lack = {
  what: 'ends of threads that execute something',
  reason:
    'a thread other than the first that executes something takes the place of the first one: its own id has no end, and ' +
    'that of the first one may have one though the process goes on (only the eBPF backend reports it)',
}

const NO_USAGE: Lack = { what: 'usage', reason: 'the proc connector does not report what a process used' }

const SHORT_LIVED: Lack = {
  what: 'facts of short-lived processes',
  reason:
    'the proc connector reports only pids, parents, status, names and real and effective ids; the rest is read ' +
    'from /proc, where a process that ends at once is not found any more: stats().unenriched counts them',
}

/** Why there is no rung for other facts. */
export const PROC_CONNECTOR_LACKING = {
  failedExecs: 'the proc connector reports only execs that succeeded',
} as const
