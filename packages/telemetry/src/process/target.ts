/** Whom a process does something to: ptrace(2), process_vm_readv(2) and the like. */

import { chars, s32, u32, u64 } from 'quark-ebpf/probe'
import type { RecordPlace } from '../event/raw.js'
import { charsAt, s32At, u32At } from '../event/record-fields.js'
import type { ObjectSpec } from '../event/spec.js'
import { processAt } from './at.js'
import type { ProcessTable } from './table.js'

const COMM_BYTES = 16

/** Fields of a record about it. */
export const targetFields = {
  /** As the caller gave it: a process or thread, in the pid namespace of the caller. */
  targetId: s32,
  /** How deep that namespace is nested; 0 is the first one. */
  callerLevel: u32,
  /** Of the process, in the first namespace; 0 when it is not known. */
  targetPid: u32,
  targetStartBootNs: u64,
  /** Its name, if `targetPid` is known. */
  targetComm: chars(COMM_BYTES),
} as const

/** A process to which another one does something. */
export interface Target {
  readonly pid: number
  readonly entityId: string | undefined
  readonly comm: string | undefined
  readonly exe: string | undefined
  /** Its real user. */
  readonly uid: number | undefined
}

export const targetObject: ObjectSpec<Target> = {
  name: 'target',
  doc: 'The process to which it was done, as it was then',
  fields: {
    pid: { type: 'pid', doc: 'its pid, in the first pid namespace', isAlwaysKnown: true, ecs: 'pid' },
    entityId: { type: 'string', doc: 'its id, as in its own events', ecs: 'entity_id' },
    comm: { type: 'string', doc: 'its name', ecs: 'name' },
    exe: { type: 'string', doc: 'its program', ecs: 'executable' },
    uid: { type: 'uid', doc: 'its real user', ecs: 'user' },
  },
}

type TargetOffsets = { readonly [K in keyof typeof targetFields]: number }

/** Reads the target. In the first pid namespace the caller’s number is a pid, if a process has it. */
export function targetOf(
  place: RecordPlace,
  at: TargetOffsets,
  tables: { readonly processes: ProcessTable },
): Target | undefined {
  const { words, offsetBytes } = place
  const w = offsetBytes >> 2
  const known = u32At(place, at.targetPid)
  const start = w + (at.targetStartBootNs >> 2)
  if (known === 0) {
    const id = s32At(place, at.targetId)
    if (id <= 0 || u32At(place, at.callerLevel) !== 0) return undefined
    const process = processAt(words, w, id, start, tables)
    return process && { pid: id, ...partsOf(process) }
  }
  const process = processAt(words, w, known, start, tables)
  const comm = charsAt(place, at.targetComm, COMM_BYTES)
  if (process !== undefined) return { pid: known, ...partsOf(process), comm: comm ?? process.comm }
  return { pid: known, entityId: undefined, comm, exe: undefined, uid: undefined }
}

function partsOf({ entityId, comm, exe, uid }: Omit<Target, 'pid'>): Omit<Target, 'pid'> {
  return { entityId, comm, exe, uid }
}
