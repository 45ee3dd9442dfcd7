/** Layouts of records about executed files. */

import { pathTail, record, stringTail, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const EXECUTABLE_KIND = 19

/** Longer names of scripts are absent: each process that runs keeps its own. */
export const MAX_SCRIPT_BYTES = 1024
const MAX_ANSWER_BYTES = 4096

/** Which file a number of others is not: beside the device and inode. */
export const identityFields = {
  device: u32,
  generation: u32,
  inode: u64,
  sizeBytes: u64,
  mtimeNs: u64,
  ctimeNs: u64,
} as const

/** The program interprets another file. */
export const SCRIPT = 1
/** The process was there already; what it interprets is not known. */
export const FOUND = 2

/** A process executed a file. */
export const executedLayout = record((EXECUTABLE_KIND << 8) | 1, 'executed', {
  ...actorFields,
  /** SCRIPT, FOUND or 0. */
  isScript: u32,
  ...identityFields,
  /** As in the record of the exec. */
  exe: pathTail,
  /** As it was given to execve(2): the script, if it is one. */
  name: stringTail(MAX_SCRIPT_BYTES),
})

/** What was found in a file: JSON of bounded size. */
export const contentLayout = record((EXECUTABLE_KIND << 8) | 2, 'executableContent', {
  ...identityFields,
  text: stringTail(MAX_ANSWER_BYTES),
})
