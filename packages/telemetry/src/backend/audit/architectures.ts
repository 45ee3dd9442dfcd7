/** The architectures whose programs a machine runs, as the audit system numbers them (`AUDIT_ARCH_*`). */

import type { AuditArchitecture, AuditedCall } from '../../facts/rungs.js'

const NUMBERS: Readonly<Record<AuditArchitecture, number>> = {
  x86_64: 0xc000_003e,
  i386: 0x4000_0003,
  aarch64: 0xc000_00b7,
}

/** The architectures of programs that run on this machine, the usual one first. */
export function auditArchitectures(
  arch: string = process.arch,
): readonly { readonly architecture: AuditArchitecture; readonly arch: number }[] {
  const architectures = arch === 'arm64' ? (['aarch64'] as const) : (['x86_64', 'i386'] as const)
  return architectures.map((architecture) => ({ architecture, arch: NUMBERS[architecture] }))
}

/** Numbers of calls on an architecture, each once. */
export function numbersOf(calls: readonly AuditedCall[], architecture: AuditArchitecture): number[] {
  return [...new Set(calls.flatMap(({ numbers }) => numbers[architecture]))]
}
