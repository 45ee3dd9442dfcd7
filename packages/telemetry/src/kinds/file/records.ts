/**
 * Layouts of records about files, whatever fills them. `device` is the kernel's number: the major above twenty bits of
 * the minor.
 */

import { pathTail, record, stringTail, u32, u64 } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const FILE_KIND = 7

export const RECORD_DONE = (FILE_KIND << 8) | 1
export const RECORD_CLOSED = (FILE_KIND << 8) | 2
export const RECORD_NAMED = (FILE_KIND << 8) | 3
export const RECORD_MOVED = (FILE_KIND << 8) | 4
export const RECORD_SEEN = (FILE_KIND << 8) | 5
export const RECORD_SEEN_END = (FILE_KIND << 8) | 6
export const RECORD_MOVING = (FILE_KIND << 8) | 7

/** What names of files may have: PATH_MAX. */
const MAX_NAME_BYTES = 4096

/** What happened to a file: bits of `what`. The order is the one in which an event lists them. */
export const DID_CREATE = 1 << 0
export const DID_MKDIR = 1 << 1
export const DID_MKNOD = 1 << 2
export const DID_SYMLINK = 1 << 3
export const DID_LINK = 1 << 4
export const DID_TRUNCATE = 1 << 5
export const DID_MODIFY = 1 << 6
export const DID_CHMOD = 1 << 7
export const DID_CHOWN = 1 << 8
export const DID_UTIMES = 1 << 9
export const DID_XATTR = 1 << 10
/** Mode, owner, times or extended attributes: which is not known. */
export const DID_ATTRIBUTES = 1 << 11
export const DID_MOVE = 1 << 12
export const DID_EXCHANGE = 1 << 13
export const DID_REMOVE = 1 << 14
export const DID_RMDIR = 1 << 15
/** Written to and closed. */
export const DID_CLOSE = 1 << 16

/**
 * Beside the bits of what happened: a program has found that the file lies below what is watched, by the inodes of
 * directories. Its path may be another one, through another mount.
 */
export const IS_BELOW = 1 << 30

/** What happened to a name of a file, and not to what is in it. Creating by opening it is both. */
export const IS_BY_NAME =
  DID_MKDIR | DID_MKNOD | DID_SYMLINK | DID_LINK | DID_MOVE | DID_EXCHANGE | DID_REMOVE | DID_RMDIR

/** Which file, and who did something to it. */
const identity = { pid: u32, device: u32, inode: u64, generation: u32, what: u32 } as const

/** Attributes of a file. */
const attributes = {
  mode: u32,
  uid: u32,
  gid: u32,
  links: u32,
  sizeBytes: u64,
  atimeNs: u64,
  mtimeNs: u64,
  ctimeNs: u64,
} as const

/** A process did something with an open file. */
export const doneLayout = record(RECORD_DONE, 'fileDone', { ...identity, ...attributes, path: pathTail })

/** A process closed a file that it had written to. */
export const closedLayout = record(RECORD_CLOSED, 'fileClosed', { ...identity, writtenBytes: u64 })

/**
 * Something happened to a name. Where the kernel supplies it (`isExact`), `base` is the place itself, which is certain, and
 * the file is known if it has an inode. Else it is `name` in the directory `base`, as a process gave it: text in its memory,
 * which may have been another one when the call read it.
 */
export const namedLayout = record(RECORD_NAMED, 'fileNamed', {
  ...identity,
  ...attributes,
  isExact: u32,
  /** Where a relative name begins. */
  base: pathTail,
  name: stringTail(MAX_NAME_BYTES),
})

/** The same where there are two names: that of before, and the new one. Of a symbolic link the first is its target. */
export const movedLayout = record(RECORD_MOVED, 'fileMoved', {
  ...identity,
  ...attributes,
  isExact: u32,
  base: pathTail,
  toBase: pathTail,
  name: stringTail(MAX_NAME_BYTES),
  toName: stringTail(MAX_NAME_BYTES),
})

/** The kernel begins to move a file: where it is. Nothing more comes of it if that fails. */
export const movingLayout = record(RECORD_MOVING, 'fileMoving', { ...identity, path: pathTail })

/**
 * fanotify reported something. It happened in the time from this record until `untilNs`: records of system calls in that
 * time may be about the same, and then say better when it was. What is left is an event of the record of the end.
 */
export const seenLayout = record(RECORD_SEEN, 'fileSeen', {
  ...identity,
  ...attributes,
  id: u32,
  /** 1 if the attributes are known. */
  hasAttributes: u32,
  /** 1 if the inode is known, 2 if the generation is known too. */
  hasInode: u32,
  untilNs: u64,
  path: stringTail(MAX_NAME_BYTES),
  oldPath: stringTail(MAX_NAME_BYTES),
})

/** The time of such a record is over. */
export const seenEndLayout = record(RECORD_SEEN_END, 'fileSeenEnd', {
  pid: u32,
  device: u32,
  inode: u64,
  generation: u32,
  what: u32,
  id: u32,
  /** From the record of the beginning to this one. */
  spanUs: u32,
})
