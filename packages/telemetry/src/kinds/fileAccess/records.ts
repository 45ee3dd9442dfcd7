/** Layouts of records about who opens sensitive files. */

import { pathTail, record, s32, stringTail, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'
import { targetFields } from '../../process/target.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const FILE_ACCESS_KIND = 8

/** What names of files may have: PATH_MAX. */
const MAX_NAME_BYTES = 4096

/**
 * Beside the bits of `f_mode`: by its inode, or by that of a directory above it, the file is one that is asked for, or lies
 * below a directory of a glob. Its path may be another one, through another mount.
 */
export const IS_PLACED = 1 << 2
export const IS_BELOW_GLOB = 1 << 3

/** A process has opened a file, the first time. */
export const openedLayout = record((FILE_ACCESS_KIND << 8) | 1, 'fileOpened', {
  ...actorFields,
  ...targetFields,
  device: u32,
  generation: u32,
  inode: u64,
  /** `f_mode`: bit 0 is reading, bit 1 writing; and what is certain of its place. */
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
