/** Facts about shared memory, and their rungs. */

import { auditedRung } from '../../facts/audited.js'
import type { Fact } from '../../facts/fact.js'
import type { AuditRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { shmProbes } from './kernel.js'
import type { ShmSettings } from './options.js'
import { CREATED_UNKNOWN, shmgetLayout } from './records.js'

const COMPAT: Lack = {
  what: 'sharedMemory by 32-bit calls',
  reason: 'calls of 32-bit programs, and those by int 0x80, have other numbers and are not seen',
}

const LACKING = {
  kprobe: 'kprobe events see no results of system calls',
  procConnector: 'no message is about shared memory',
}

const auditedShmget: AuditRung = auditedRung({
  hook: 'shmget',
  // arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, and include/uapi/asm-generic/unistd.h.
  calls: [{ numbers: { x86_64: [29], i386: [395], aarch64: [194] }, always: true }],
  layout: shmgetLayout,
  leaves: ['startBootNs', 'created'],
  lacks: [
    { what: 'sharedMemory.created', reason: 'the audit system does not report whether a segment is new' },
  ],
  fill: (call) => {
    const [key, size, flags] = [call.argument(0), call.argument(1), call.argument(2)]
    const { pid, result } = call
    if (key === undefined || size === undefined || flags === undefined || result === undefined)
      return undefined
    return {
      pid,
      key: Number(BigInt.asIntN(32, key)),
      flags: Number(BigInt.asUintN(32, flags)),
      sizeBytes: size,
      result,
      created: CREATED_UNKNOWN,
    }
  },
})

export function shmFacts({ settings }: Surroundings<ShmSettings>): Fact[] {
  if (!settings.sharedMemory) return []
  const { segments, attached, memfds, files } = shmProbes()
  return [
    {
      name: 'sharedMemory',
      required: false,
      rungs: [{ by: 'ebpf', probes: segments, lacks: [COMPAT] }, auditedShmget],
      lacking: LACKING,
    },
    {
      name: 'sharedMemoryAttached',
      required: false,
      rungs: [{ by: 'ebpf', probes: attached }],
      lacking: { ...LACKING, audit: 'only shmget(2) is audited' },
    },
    {
      name: 'memfds',
      required: false,
      rungs: [{ by: 'ebpf', probes: memfds }],
      lacking: { ...LACKING, audit: 'the audit system does not report the names of memfds' },
    },
    {
      name: 'sharedMemoryFiles',
      required: false,
      rungs: [{ by: 'ebpf', probes: files }],
      lacking: { ...LACKING, audit: 'the audit system would report every open of the machine' },
    },
  ]
}
