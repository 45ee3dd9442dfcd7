/** The fact of calls of ptrace(2), and its rungs. */

import type { Fact } from '../../facts/fact.js'
import type { Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { attachedTracers } from './attached.js'
import { auditedPtrace } from './audited.js'
import { ptraceProbes } from './kernel.js'
import type { PtraceSettings } from './options.js'

const COMPAT: Lack = {
  what: 'ptrace by 32-bit calls',
  reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
}

const BY_NUMBER: Lack = {
  what: 'ptrace targets in other pid namespaces',
  reason:
    'no function can be hooked that finds the target: it is known of the process that was attached to last, and else by the number that the caller gave',
}

export function ptraceFacts({ settings }: Surroundings<PtraceSettings>): Fact[] {
  if (!settings.ptrace) return []
  const { fexit, kretprobe, calls } = ptraceProbes()
  return [
    {
      name: 'ptrace',
      required: false,
      rungs: [
        { by: 'ebpf', probes: fexit, lacks: [COMPAT] },
        { by: 'ebpf', probes: kretprobe, lacks: [COMPAT] },
        { by: 'ebpf', probes: calls, lacks: [COMPAT, BY_NUMBER] },
        attachedTracers,
        auditedPtrace,
      ],
      lacking: { kprobe: 'kprobe events see no results of system calls' },
    },
  ]
}
