/** Layout of records about memory that becomes executable, whatever fills them. */

import { pathTail, record, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const MEMORY_KIND = 13

/** What both records begin with. */
const executable = {
  ...actorFields,
  /** `BY_`: which call it was. */
  by: u32,
  /** Protection that the call asked for: `PROT_`; and `IMPLIED`. */
  protection: u32,
  address: u64,
  /** 0 of shmat(2). */
  sizeBytes: u64,
} as const

/** The first call of its sort by which a process made memory executable; not mmap(2). */
export const executableLayout = record((MEMORY_KIND << 8) | 1, 'executable', {
  ...executable,
  /** The id of the segment of shmat(2). */
  segment: u32,
})

/** The same by mmap(2). */
export const executableMapLayout = record((MEMORY_KIND << 8) | 2, 'executableMap', {
  ...executable,
  /** 1 if it is a map of a file. */
  isOfFile: u32,
  file: pathTail,
})

/** In the order of `CALLS`. */
export const BY_MPROTECT = 0
export const BY_PKEY_MPROTECT = 1
export const BY_MMAP = 2
export const BY_SHMAT = 3

/** include/uapi/asm-generic/mman-common.h */
export const PROT_READ = 1
export const PROT_WRITE = 2
export const PROT_EXEC = 4
/** Behind the bits of mmap(2): only the personality of the process makes it executable. */
export const IMPLIED = 0x1_0000
