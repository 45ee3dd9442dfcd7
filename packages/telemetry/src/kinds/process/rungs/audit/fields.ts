/** Decodes the fields of SYSCALL records; which facts each system call changes. */

import { auditArgument, auditNumber, type AuditRecord } from 'quark-ebpf'
import type { ProcessCall } from './calls.js'
import {
  type Found,
  STALE_BY_EXEC,
  STALE_BY_IDS,
  STALE_BY_SESSION,
} from '../../../../process/procfs/enrich.js'

export type Fields = AuditRecord['fields']

const IDS = ['uid', 'gid', 'suid', 'sgid', 'euid', 'egid'] as const
const DELETED = ' (deleted)'

/** All ids of the caller, when the call returned. */
export function idsOf(fields: Fields): Record<(typeof IDS)[number], number> | undefined {
  const ids = IDS.flatMap((id) => {
    const value = auditNumber(fields.get(id))
    return value === undefined ? [] : [[id, value] as const]
  })
  return ids.length === IDS.length
    ? (Object.fromEntries(ids) as Record<(typeof IDS)[number], number>)
    : undefined
}

/** The status of a call that ends its caller, as wait(2) has it. */
export function exitStatusOf(fields: Fields): number | undefined {
  const code = auditArgument(fields.get('a0'))
  return code === undefined ? undefined : (code & 0xff) << 8
}

/** Whether a call makes a process or a thread, whose id it returns. */
export function isFork(call: ProcessCall | undefined): boolean {
  return call === 'fork' || call === 'clone' || call === 'clone3'
}

/** Groups of facts that a call changes. */
export function changesOf(call: ProcessCall | undefined): number {
  switch (call) {
    case 'exec':
      return STALE_BY_EXEC
    case 'setsid':
      return STALE_BY_SESSION
    case 'uid':
    case 'gid':
      return STALE_BY_IDS
    default:
      return 0
  }
}

/** A path as the kernel shows it, which marks removed files behind their name. */
export function pathOf(text: Uint8Array | undefined, found: Found | undefined) {
  if (text === undefined) return undefined
  const root = found?.root === undefined ? {} : { root: found.root }
  const latin1 = Buffer.from(text).toString('latin1')
  if (!latin1.endsWith(DELETED)) return { path: text, deleted: false, ...root }
  const path = latin1.slice(0, -DELETED.length)
  // A memfd never was in a directory.
  if (path.startsWith('/memfd:')) return { path: Buffer.from(path.slice(1), 'latin1'), deleted: false }
  return { path: Buffer.from(path, 'latin1'), deleted: true, ...root }
}
