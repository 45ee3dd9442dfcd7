/** Rungs of the audit system for facts about processes. */

import { AUDIT_ANOM_ABEND, clockNs } from 'quark-ebpf'
import type { AuditRung, Lack, MakerSpec, AuditEvent } from '../../../../facts/rungs.js'
import type { Surroundings } from '../../../kind.js'
import type { ProcessSettings } from '../../options.js'
import {
  commLayout,
  execFailedLayout,
  execLayout,
  exitLayout,
  forkLayout,
  idChangeLayout,
} from '../../records.js'
import { scanLiveProcesses } from '../live-processes.js'
import { NO_KILLER, NO_LOGIN, noLogin } from '../leaves.js'
import { PROCESS_CALLS } from './calls.js'
import { AuditRecords } from './records.js'

/** Files of a process, and what they add to the records. */
const PROCFS = {
  stat: 'start time, pgid, sid, tty',
  status: 'capabilities',
  environ: 'env',
  root: 'root',
  ns: 'namespaces',
  cgroup: 'cgroup',
}

function maker({ settings, hierarchy }: Surroundings<ProcessSettings>): MakerSpec<AuditEvent> {
  return {
    adds: Object.entries(PROCFS).map(([file, what]) => ({
      what,
      hook: `/proc/PID/${file}`,
      flavor: 'procfs',
    })),
    open: (context) => {
      const live = [...scanLiveProcesses(clockNs('boottime')).values()]
        .filter(({ kernelThread }) => !kernelThread)
        .map(({ pid, startBootNs }) => [pid, startBootNs] as const)
      return new AuditRecords({ settings, hierarchy }, context, new Map(live))
    },
  }
}

/** The rungs of facts, by what they report. /proc has the number of a tty as one, so that `ttyIndex` stays 0. */
export function auditRungs(surroundings: Surroundings<ProcessSettings>) {
  const { usage } = surroundings.settings
  const shared = { by: 'audit', maker: maker(surroundings) } as const
  const { exec, fork, clone, clone3, exit, exitGroup, setsid, uid, gid, prctl } = PROCESS_CALLS
  return {
    exit: {
      ...shared,
      hook: 'exit_group, exit',
      calls: [exitGroup, exit],
      records: [{ type: AUDIT_ANOM_ABEND, what: 'exit by a signal that dumps core', hook: 'ANOM_ABEND' }],
      fills: [exitLayout],
      leaves: ['exit.comm', 'exit.pgid', 'exit.sid', ...NO_KILLER],
      lacks: usage ? [...EXIT_LACKS, NO_USAGE] : EXIT_LACKS,
    },
    commChange: {
      ...shared,
      hook: 'prctl(PR_SET_NAME)',
      calls: [prctl],
      fills: [commLayout],
      lacks: [
        {
          what: 'commChange through /proc',
          reason: 'audit reports prctl(2), and not names that are written to /proc/PID/comm',
        },
      ],
    },
    idChange: {
      ...shared,
      hook: 'setsid, setuid, setgid, setreuid, setregid, setresuid, setresgid',
      calls: [setsid, uid, gid],
      fills: [idChangeLayout],
      leaves: ['idChange.ttyIndex', ...noLogin('idChange')],
    },
    exec: {
      ...shared,
      hook: 'execve, execveat',
      calls: [exec],
      fills: [execLayout],
      leaves: ['exec.ttyIndex', ...noLogin('exec')],
    },
    fork: {
      ...shared,
      hook: 'clone, clone3, fork, vfork',
      calls: [fork, clone, clone3],
      fills: [forkLayout],
      leaves: ['fork.ttyIndex', ...noLogin('fork')],
      lacks: FORK_LACKS,
    },
    failedExecs: {
      ...shared,
      hook: 'execve, execveat',
      calls: [{ ...exec, always: true }],
      fills: [execFailedLayout],
    },
  } satisfies Record<string, AuditRung>
}

const EXIT_LACKS: readonly Lack[] = [
  {
    what: 'exit.status of killed processes',
    reason: 'audit does not report signals; that such a process ended is seen in /proc, some seconds later',
  },
  { what: 'exit.coreDumped', reason: 'audit reports the signal, and not whether there was a dump' },
]

const NO_USAGE: Lack = { what: 'usage', reason: 'audit does not report what a process used' }

const FORK_LACKS: readonly Lack[] = [
  NO_LOGIN,
  {
    what: 'exact times',
    reason:
      "audit's clock advances in steps of some ms; starts of processes that /proc does not show any more are by " +
      'that clock too',
  },
  {
    what: 'facts of short-lived processes',
    reason:
      'what audit does not report is read from /proc, where a process that ends at once is not found any more: ' +
      'stats().unenriched counts them',
  },
]

/** Why there is no rung for other facts. */
export const AUDIT_LACKING = {
  threads: 'audit reports no ids of threads',
} as const
