/** Layout of records about access to other processes, whatever fills them. */

import { record, s64, u32 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'
import { targetFields } from '../../process/target.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const PROCESS_ACCESS_KIND = 14

/** A process got at the memory or the files of another one, or tried to. */
export const accessLayout = record((PROCESS_ACCESS_KIND << 8) | 1, 'processAccess', {
  ...actorFields,
  ...targetFields,
  /** `BY_`: which way. */
  by: u32,
  /** Of pidfd_getfd(2): the descriptor of the target. Of an open: bits of `f_mode`. */
  detail: u32,
  /** What the call returned: bytes, a descriptor, or a negative errno. */
  result: s64,
})

export const BY_READV = 0
export const BY_WRITEV = 1
export const BY_GETFD = 2
export const BY_MEM = 3
