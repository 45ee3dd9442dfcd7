/** What can be learnt about processes, and the probes that tell it. */

import type { FactProbes } from '../../event/fact.js'
import type { Surroundings } from '../../event/kind.js'
import {
  cgroupMkdirProbe,
  cgroupRenameProbe,
  commProbe,
  execFailedProbe,
  execProbe,
  exitProbe,
  exitUsageProbe,
  forkProbe,
  idChangeProbe,
  type ProcessProbeSettings,
  threadExitProbe,
  threadForkProbe,
} from './kernel.js'

/** Cgroup names come first: a record of a process in a new cgroup must not precede the cgroup's name. */
export function processFacts({ settings, hierarchy }: Surroundings): FactProbes[] {
  const { maxArgvBytes, maxEnvBytes, kernelThreads, usage, threads, failedExecs } = settings
  const probes: ProcessProbeSettings = {
    maxArgvBytes,
    maxEnvBytes,
    kernelThreads,
    cgroupHierarchy: hierarchy?.kind ?? 'unified',
  }
  const facts: FactProbes[] = [
    { fact: 'cgroupNames', probes: [cgroupMkdirProbe(), cgroupRenameProbe()], required: false },
    { fact: 'fork', probes: [forkProbe(probes)], required: true },
    { fact: 'exec', probes: [execProbe(probes)], required: true },
    { fact: 'exit', probes: [usage ? exitUsageProbe(probes) : exitProbe(probes)], required: true },
    { fact: 'commChange', probes: [commProbe(probes)], required: false },
    { fact: 'idChange', probes: [idChangeProbe(probes)], required: false },
  ]
  if (threads) {
    facts.push({
      fact: 'threads',
      probes: [threadForkProbe(probes), threadExitProbe(probes)],
      required: false,
    })
  }
  if (failedExecs) facts.push({ fact: 'failedExecs', probes: [execFailedProbe()], required: false })
  return facts
}
