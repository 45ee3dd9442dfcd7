/** What can be learnt about processes, and the probes that tell it. */

import { fentry, kprobe, type Probe } from 'quark-ebpf/probe'
import type { FactProbes } from '../../event/fact.js'
import type { Surroundings } from '../kind.js'
import type { ProcessSettings } from './options.js'
import {
  commProbe,
  execProbe,
  exitProbe,
  exitUsageProbe,
  forkProbe,
  type ProcessProbeSettings,
  threadExitProbe,
  threadForkProbe,
} from './kernel.js'
import { cgroupMkdirProbe, cgroupRenameProbe } from './kernel-cgroups.js'
import { execFailedProbe } from './kernel-failed-execs.js'
import { credsProbe, idChangeProbe, SESSION_FUNCTIONS, sessionProbe } from './kernel-ids.js'

/**
 * The order is that of attaching. Cgroup names come first, as a record of a process in a new cgroup must not
 * precede the cgroup's name; forks come last, as a process whose fork was seen must not end unseen.
 */
export function processFacts({ settings, hierarchy }: Surroundings<ProcessSettings>): FactProbes[] {
  const { maxArgvBytes, maxEnvBytes, kernelThreads, usage, threads, failedExecs } = settings
  const probes: ProcessProbeSettings = {
    maxArgvBytes,
    maxEnvBytes,
    kernelThreads,
    cgroupHierarchy: hierarchy?.kind ?? 'unified',
  }
  const facts: FactProbes[] = [
    { fact: 'cgroupNames', ways: [[cgroupMkdirProbe(), cgroupRenameProbe()]], required: false },
    { fact: 'exit', ways: [[usage ? exitUsageProbe(probes) : exitProbe(probes)]], required: true },
    { fact: 'commChange', ways: [[commProbe(probes)]], required: false },
    { fact: 'idChange', ways: idChangeWays(probes), required: false },
    { fact: 'exec', ways: [[execProbe(probes)]], required: true },
    { fact: 'fork', ways: [[forkProbe(probes)]], required: true },
  ]
  if (threads) {
    facts.push({
      fact: 'threads',
      ways: [[threadForkProbe(probes), threadExitProbe(probes)]],
      required: false,
    })
  }
  if (failedExecs) facts.push({ fact: 'failedExecs', ways: [[execFailedProbe()]], required: false })
  return facts
}

/**
 * Where ids change is one function of the kernel, which costs nothing else when it is hooked. Where functions
 * cannot be hooked the proc connector tells, which also costs every fork, exec and exit a message to nobody.
 */
function idChangeWays(settings: ProcessProbeSettings): Probe[][] {
  return [
    ...[fentry, kprobe].flatMap((hook) =>
      SESSION_FUNCTIONS.map((target) => [credsProbe(settings, hook), sessionProbe(settings, hook, target)]),
    ),
    [idChangeProbe(settings)],
  ]
}
