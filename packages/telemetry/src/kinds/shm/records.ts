/** Layouts of records about shared memory, whatever fills them. */

import { pathTail, record, s32, s64, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const SHM_KIND = 10

/** shmget(2) has returned. */
export const shmgetLayout = record((SHM_KIND << 8) | 1, 'shmget', {
  ...actorFields,
  key: s32,
  flags: u32,
  sizeBytes: u64,
  result: s64,
  /** `CREATED_`: whether it made the segment. */
  created: u32,
})

/** shmat(2) has returned. */
export const shmatLayout = record((SHM_KIND << 8) | 2, 'shmat', {
  ...actorFields,
  id: s32,
  flags: u32,
  result: s64,
})

/** memfd_create(2) made a file. */
export const memfdLayout = record((SHM_KIND << 8) | 3, 'memfd', {
  ...actorFields,
  flags: u32,
  name: pathTail,
})

/** A file below /dev/shm was opened, as shm_open(3) does. */
export const shmOpenLayout = record((SHM_KIND << 8) | 4, 'shmOpen', {
  ...actorFields,
  /** Bits of `f_mode`. */
  mode: u32,
  file: pathTail,
})

export const CREATED_NO = 0
export const CREATED_YES = 1
export const CREATED_UNKNOWN = 2
