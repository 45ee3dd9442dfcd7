/** Layouts of records about who opens sensitive files. */

import { pathTail, record, s32, stringTail, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'
import { targetFields } from '../../process/target.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const FILE_ACCESS_KIND = 8

/** What names of files may have: PATH_MAX. */
const MAX_NAME_BYTES = 4096

/** A process has opened a file, the first time. */
export const openedLayout = record((FILE_ACCESS_KIND << 8) | 1, 'fileOpened', {
  ...actorFields,
  ...targetFields,
  device: u32,
  generation: u32,
  inode: u64,
  /** `f_mode`: bit 0 is reading, bit 1 writing. */
  mode: u32,
  path: pathTail,
})

/** A process was denied to open what it called so. */
export const deniedLayout = record((FILE_ACCESS_KIND << 8) | 2, 'fileDenied', {
  ...actorFields,
  /** As open(2) returns it: negative. */
  result: s32,
  /** `O_ACCMODE` of its flags. */
  access: u32,
  base: pathTail,
  name: stringTail(MAX_NAME_BYTES),
})
