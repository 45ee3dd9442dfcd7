/** Facts about priorities, and their rungs. */

import { callArgument, currentTask, eq, probe, type Scalar, sysExit } from 'quark-ebpf/probe'
import type { Fact } from '../../../facts/fact.js'
import type { Surroundings } from '../../kind.js'
import { auditedPriorities } from './audited.js'
import { notesOf } from './notes.js'
import type { PrioritySettings } from './options.js'
import { priorityLayout } from './records.js'

interface Task {
  readonly tgid: Scalar
}

/** A call of setpriority(2) returns. */
export function priorityProbe() {
  return probe(
    { name: 'quark_priority', record: priorityLayout, hook: sysExit(['setpriority']) },
    (call, result) => ({
      when: eq(result, 0),
      fill: {
        pid: currentTask<Task>().tgid,
        which: callArgument(call, 0),
        who: callArgument(call, 1),
        nice: callArgument(call, 2),
      },
    }),
  )
}

export function priorityFacts({ settings }: Surroundings<PrioritySettings>): Fact[] {
  if (!settings.priorities) return []
  const facts: Fact[] = [
    {
      name: 'priorities',
      required: false,
      rungs: [{ by: 'ebpf', probes: [priorityProbe()] }, auditedPriorities],
      lacking: { procConnector: 'no message is about priorities' },
    },
  ]
  const { priorityNotes } = settings
  if (priorityNotes !== undefined) {
    facts.push({ name: 'priorityNotes', required: false, rungs: [notesOf(priorityNotes)] })
  }
  return facts
}
