/** What the proc connector sends (include/uapi/linux/cn_proc.h). */

import {
  PROC_EVENT_COMM,
  PROC_EVENT_EXEC,
  PROC_EVENT_EXIT,
  PROC_EVENT_FORK,
  PROC_EVENT_GID,
  PROC_EVENT_PTRACE,
  PROC_EVENT_SID,
  PROC_EVENT_UID,
} from '../attach/proc-connector.js'

/** What all messages have. `pid` is the kernel's tgid and `tid` its pid, of the initial namespace. */
interface ProcMessageBase {
  readonly cpu: number
  /** Sequence number of the CPU's messages, dropped ones included; wraps after 2^32. */
  readonly seq: number
  /** ns of CLOCK_MONOTONIC. */
  readonly monotonicNs: bigint
  readonly pid: number
  readonly tid: number
}

export interface ProcForkMessage extends ProcMessageBase {
  readonly kind: 'fork'
  /** Process of the child's parent, which CLONE_PARENT makes another one than the caller. */
  readonly ppid: number
}

export interface ProcExitMessage extends ProcMessageBase {
  readonly kind: 'exit'
  /** As wait(2) has it: the code in bits 8 to 15, or a signal in bits 0 to 6 and bit 7 for a core dump. */
  readonly status: number
  readonly ppid: number
}

export interface ProcIdMessage extends ProcMessageBase {
  readonly kind: 'uid' | 'gid'
  readonly realId: number
  readonly effectiveId: number
}

export interface ProcCommMessage extends ProcMessageBase {
  readonly kind: 'comm'
  /** At most 15 bytes; owned by the message. */
  readonly comm: Uint8Array
}

export interface ProcPtraceMessage extends ProcMessageBase {
  readonly kind: 'ptrace'
  /** Process and thread that attached to this one, in whatever way; both are 0 if one detached. */
  readonly tracerPid: number
  readonly tracerTid: number
}

export interface ProcPlainMessage extends ProcMessageBase {
  /** `other`: not about a process, such as the acknowledgement of a listener, but it has a sequence number. */
  readonly kind: 'exec' | 'sid' | 'other'
}

/** A message about a process or thread. */
export type ProcMessage =
  | ProcForkMessage
  | ProcExitMessage
  | ProcIdMessage
  | ProcCommMessage
  | ProcPtraceMessage
  | ProcPlainMessage

const CN_IDX_PROC = 1
const CN_VAL_PROC = 1
const COMM_BYTES = 16

/*
 *   0  struct nlmsghdr, 16 bytes
 *   16 idx u32 | 20 val u32 | 24 seq u32 | 28 ack u32 | 32 len u16 | 34 flags u16   struct cn_msg
 *   36 what u32 | 40 cpu u32 | 44 timestamp u64 | 52 what happened, 24 bytes        struct proc_event
 */
const IDX = 16
const VAL = 20
const SEQ = 24
const WHAT = 36
const CPU = 40
const TIMESTAMP = 44
const FIRST = 52
const SECOND = 56
const THIRD = 60
const FOURTH = 64
const EXIT_PARENT_TGID = 72

/** Length of a message. */
export const PROC_MESSAGE_BYTES = 76

/**
 * Reads one datagram. Never throws.
 *
 * @returns undefined for what the proc connector did not send
 */
export function parseProcMessage(bytes: Uint8Array): ProcMessage | undefined {
  if (bytes.length < PROC_MESSAGE_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const u32 = (offset: number): number => view.getUint32(offset, true)
  if (u32(IDX) !== CN_IDX_PROC || u32(VAL) !== CN_VAL_PROC) return undefined
  const base = {
    cpu: u32(CPU),
    seq: u32(SEQ),
    monotonicNs: view.getBigUint64(TIMESTAMP, true),
    pid: u32(SECOND),
    tid: u32(FIRST),
  }
  const what = u32(WHAT)
  switch (what) {
    case PROC_EVENT_FORK:
      return { ...base, kind: 'fork', ppid: u32(SECOND), pid: u32(FOURTH), tid: u32(THIRD) }
    case PROC_EVENT_EXIT:
      return { ...base, kind: 'exit', status: u32(THIRD), ppid: u32(EXIT_PARENT_TGID) }
    case PROC_EVENT_UID:
    case PROC_EVENT_GID:
      return {
        ...base,
        kind: what === PROC_EVENT_UID ? 'uid' : 'gid',
        realId: u32(THIRD),
        effectiveId: u32(FOURTH),
      }
    case PROC_EVENT_COMM:
      return {
        ...base,
        kind: 'comm',
        comm: untilNul(new Uint8Array(bytes.subarray(THIRD, THIRD + COMM_BYTES))),
      }
    case PROC_EVENT_PTRACE:
      return { ...base, kind: 'ptrace', tracerTid: u32(THIRD), tracerPid: u32(FOURTH) }
    case PROC_EVENT_EXEC:
      return { ...base, kind: 'exec' }
    case PROC_EVENT_SID:
      return { ...base, kind: 'sid' }
    default:
      return { ...base, kind: 'other' }
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}
