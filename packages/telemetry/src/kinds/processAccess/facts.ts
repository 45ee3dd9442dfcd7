/** Facts about access to other processes, and their rungs. */

import { auditedRung } from '../../facts/audited.js'
import type { Fact } from '../../facts/fact.js'
import type { AuditRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { accessProbes } from './kernel.js'
import type { ProcessAccessSettings } from './options.js'
import { accessLayout, BY_READV, BY_WRITEV } from './records.js'

const COMPAT: Lack = {
  what: 'processMemory by 32-bit calls',
  reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
}

const BY_NUMBER: Lack = {
  what: 'processMemory targets in other pid namespaces',
  reason: 'no function can be hooked that finds the target: it is known by the number that the caller gave',
}

const LACKING = {
  kprobe: 'kprobe events see no results of system calls',
  procConnector: 'no message is about access to other processes',
}

// arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, and include/uapi/asm-generic/unistd.h.
const READV = { numbers: { x86_64: [310], i386: [347], aarch64: [270] }, always: true } as const
const WRITEV = { numbers: { x86_64: [311], i386: [348], aarch64: [271] }, always: true } as const

const auditedMemory: AuditRung = auditedRung({
  hook: 'process_vm_readv, process_vm_writev',
  calls: [READV, WRITEV],
  layout: accessLayout,
  leaves: ['startBootNs', 'callerLevel', 'targetPid', 'targetStartBootNs', 'targetComm', 'detail'],
  lacks: [{ ...BY_NUMBER, reason: 'the audit system reports the number that the caller gave' }],
  fill: ({ pid, call, result, ...audited }) => {
    const id = audited.argument(0)
    if (id === undefined || result === undefined || id === BigInt(pid)) return undefined
    const by = call === WRITEV ? BY_WRITEV : BY_READV
    return { pid, targetId: Number(BigInt.asIntN(32, id)), by, result }
  },
})

export function processAccessFacts({ settings }: Surroundings<ProcessAccessSettings>): Fact[] {
  if (!settings.processAccess) return []
  const { memory, descriptors, files } = accessProbes()
  return [
    {
      name: 'processMemory',
      required: false,
      rungs: [
        { by: 'ebpf', probes: memory.fexit, lacks: [COMPAT] },
        { by: 'ebpf', probes: memory.kretprobe, lacks: [COMPAT] },
        { by: 'ebpf', probes: memory.calls, lacks: [COMPAT, BY_NUMBER] },
        auditedMemory,
      ],
      lacking: LACKING,
    },
    {
      name: 'processDescriptors',
      required: false,
      rungs: [{ by: 'ebpf', probes: descriptors }],
      lacking: { ...LACKING, audit: 'the audit system does not report whose a pidfd is' },
    },
    {
      name: 'processMemoryFiles',
      required: false,
      rungs: [{ by: 'ebpf', probes: files }],
      lacking: { ...LACKING, audit: 'the audit system would report every open of the machine' },
    },
  ]
}
