/** What is known of a file that was written before it is executed. */

import { chars, pathTail, record, stringTail, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records of such files. */
export const EXEC_CHANGE_KIND = 17

export const COMM_BYTES = 16
const MAX_NAME_BYTES = 4096

/** Of `file`. */
export const FILE_PROGRAM = 1
export const FILE_SCRIPT = 2

/** Who opened the file to be written, the last time. */
export const writerFields = {
  writerStartBootNs: u64,
  openedNs: u64,
  writerPid: u32,
  writerSid: u32,
  writerUid: u32,
  isMemfd: u32,
  writerComm: chars(COMM_BYTES),
} as const

/** A process executed a file that somebody wrote. */
export const execChangeLayout = record((EXEC_CHANGE_KIND << 8) | 1, 'execChange', {
  ...actorFields,
  sid: u32,
  file: u32,
  ...writerFields,
  /** As it was given to execve(2). */
  name: stringTail(MAX_NAME_BYTES),
})

/** What executes a script opened a file that somebody wrote: the script, if it has its name. */
export const scriptOpenLayout = record((EXEC_CHANGE_KIND << 8) | 2, 'scriptOpen', {
  ...actorFields,
  sid: u32,
  ...writerFields,
  /** 1 if the script was not what was executed, but an argument. */
  isArgument: u32,
  path: pathTail,
})
