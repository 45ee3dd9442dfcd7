/** Facts about processes, and their rungs. */

import { fentry, kprobe } from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import type { EbpfRung } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import type { ProcessSettings } from './options.js'
import {
  commProbe,
  execProbe,
  exitProbe,
  exitUsageProbe,
  forkProbe,
  olderProbe,
  type ProcessProbeSettings,
  threadExecProbe,
  threadExitProbe,
  threadForkProbe,
} from './kernel.js'
import { killerProbe } from './kernel-killers.js'
import { execFailedProbe } from './kernel-failed-execs.js'
import { credsProbe, idChangeProbe, SESSION_FUNCTIONS, sessionProbe } from './kernel-ids.js'
import { AUDIT_LACKING, auditRungs } from './rungs/audit/rungs.js'
import { completion } from './rungs/kprobe/complete.js'
import { ENTRIES, kprobeRung } from './rungs/kprobe/hooks.js'
import {
  PROC_CONNECTOR_LACKING,
  procConnectorRungs,
  THREADS_THAT_EXEC,
} from './rungs/proc-connector/rungs.js'

/** The fact of the exact starts of processes that are older than the queue. */
export const EXACT_STARTS = 'exactStarts'

const IN_TICKS =
  '/proc has the starts of processes in steps of 10 ms, so that entity ids are made of these, and a process that gets the ' +
  'same pid within 10 ms has the same one'

const NOTHING_KEPT =
  'kprobes keep nothing from a signal to the end of its process: of the signal that ended it is only known whether memory was short'
const NOT_REPORTED = 'it reports no signals: who sent the one that ended a process is not known'

/** Forks are attached last: a process whose fork was seen must not end unseen. */
export function processFacts(surroundings: Surroundings<ProcessSettings>): Fact[] {
  const { settings, hierarchy, isTracked = false } = surroundings
  const { maxArgvBytes, maxEnvBytes, kernelThreads, usage, threads, failedExecs } = settings
  const probes: ProcessProbeSettings = {
    maxArgvBytes,
    maxEnvBytes,
    kernelThreads,
    cgroupHierarchy: hierarchy?.kind ?? 'unified',
  }
  // What kprobes fetch is the same, as far as it can be fetched.
  const fetched: ProcessProbeSettings = { ...probes, computesNothing: true }
  const connector = procConnectorRungs(surroundings)
  const audit = auditRungs(surroundings)
  const complete = completion(settings)
  const exitOf = usage ? exitUsageProbe : exitProbe
  const exit = exitOf({ ...probes, isTracked })
  const name = commProbe(probes)
  const exec = execProbe(probes)
  const fork = forkProbe(probes)
  const ids = idChangeProbe(probes)
  const facts: Fact[] = [
    {
      name: 'exit',
      required: true,
      rungs: [ebpf(exit), kprobeRung(exitOf(fetched), ENTRIES.exit), connector.exit, audit.exit],
    },
    {
      name: 'commChange',
      required: false,
      rungs: [ebpf(name), kprobeRung(name, ENTRIES.name), connector.commChange, audit.commChange],
    },
    {
      name: 'idChange',
      required: false,
      rungs: [
        ...idChangeRungs(probes),
        ebpf(ids),
        kprobeRung(idChangeProbe(fetched), ENTRIES.ids),
        connector.idChange,
        audit.idChange,
      ],
    },
    {
      name: 'exec',
      required: true,
      rungs: [ebpf(exec), kprobeRung(execProbe(fetched), ENTRIES.exec, complete), connector.exec, audit.exec],
    },
    {
      name: 'fork',
      required: true,
      rungs: [ebpf(fork), kprobeRung(forkProbe(fetched), ENTRIES.fork, complete), connector.fork, audit.fork],
      losses: [
        { without: 'procPids', costs: ['processes that exist already'] },
        { without: 'procOfOthers', costs: ['processes of other users that exist already'] },
        { without: 'procMemory', costs: ['exe, cwd and environment of processes that exist already'] },
        { without: 'bootTime', costs: ['start times in /proc are shifted'] },
      ],
    },
  ]
  facts.push(exactStartsFact(), killersFact())
  if (threads) facts.push(threadsFact(probes, connector.threads))
  if (failedExecs) facts.push(failedExecsFact(audit.failedExecs))
  return facts
}

function ebpf(...probes: EbpfRung['probes']): EbpfRung {
  return { by: 'ebpf', probes }
}

/**
 * All changes of ids go through one function of the kernel: hooking it costs nothing else. If functions cannot be
 * hooked, the proc connector reports them, at the cost of an unread message for every fork, exec and exit.
 */
function idChangeRungs(settings: ProcessProbeSettings): EbpfRung[] {
  return [fentry, kprobe].flatMap((hook) =>
    SESSION_FUNCTIONS.map((target) => ebpf(credsProbe(settings, hook), sessionProbe(settings, hook, target))),
  )
}

function threadsFact(settings: ProcessProbeSettings, connector: Fact['rungs'][number]): Fact {
  const fork = threadForkProbe(settings)
  const exit = threadExitProbe(settings)
  return {
    name: 'threads',
    required: false,
    rungs: [
      ebpf(fork, exit, threadExecProbe()),
      {
        by: 'kprobe',
        hooks: [
          { probe: fork, entries: ENTRIES.fork },
          { probe: exit, entries: ENTRIES.exit },
        ],
        lacks: [THREADS_THAT_EXEC],
      },
      connector,
    ],
    lacking: { audit: AUDIT_LACKING.threads },
  }
}

/** A scan walks by it: without one there is nothing older. */
function exactStartsFact(): Fact {
  return {
    name: EXACT_STARTS,
    required: false,
    rungs: [ebpf(olderProbe())],
    lacking: { kprobe: IN_TICKS, procConnector: IN_TICKS, audit: IN_TICKS },
  }
}

/** Attached after the exits, which have what it learns. */
function killersFact(): Fact {
  return {
    name: 'killers',
    required: false,
    rungs: [ebpf(killerProbe())],
    lacking: { kprobe: NOTHING_KEPT, procConnector: NOT_REPORTED, audit: NOT_REPORTED },
  }
}

function failedExecsFact(audit: Fact['rungs'][number]): Fact {
  return {
    name: 'failedExecs',
    required: false,
    rungs: [ebpf(execFailedProbe()), audit],
    lacking: {
      kprobe: 'The kprobe backend has no function for tracepoint sys_exit',
      procConnector: PROC_CONNECTOR_LACKING.failedExecs,
    },
  }
}
