/** What programs of several rungs share: which files are watched, and what is read of them. */

import {
  and,
  at,
  constant,
  currentTask,
  eq,
  ifThen,
  lt,
  ne,
  not,
  oneOf,
  or,
  path,
  type Scalar,
} from 'quark-ebpf/probe'
import { PSEUDO_MAGICS } from '../../../files/pseudo.js'
import { accessNsOf, changeNsOf, modificationNsOf } from '../../../process/inode-times.js'
import type { KernelSelection } from '../../../files/selection.js'
import { isBelow } from '../../../process/kernel-places.js'
import type { Choice } from '../choice.js'
import type { FileTask, Inode, OpenFile, SuperBlock } from '../kernel-types.js'
import { IS_BELOW } from '../records.js'

/** Results from here on are errors. */
const FIRST_ERROR = 2n ** 63n
export const FMODE_CREATED = 0x10_0000
const FMODE_WRITE = 0x2
export const S_IFMT = 0o170000
export const S_IFREG = 0o100000
export const HALF = 0xffff_ffff

export const current = (): FileTask => currentTask<FileTask>()
export const isDone = (result: Scalar): Scalar => lt(result, FIRST_ERROR)
export const isRegular = (inode: Inode): Scalar => eq(and(inode.i_mode, S_IFMT), S_IFREG)

/**
 * What a call wrote to was open for that. Which file it was is read when it returns, and another thread may have given the
 * descriptor to another one meanwhile: at least not to one that is only read.
 */
export const isWritable = ({ f_mode }: OpenFile): Scalar => ne(and(f_mode, FMODE_WRITE), 0)

/** A pointer to a structure is a number, too. */
export function addressOf(value: object): Scalar {
  return value as Scalar
}

/** A file, and where it is. */
export type PlacedFile = Pick<OpenFile, 'f_inode' | 'f_path'>

/** Programs for what is watched: conditions that they all have. */
export class Watched {
  readonly #uids: readonly number[] | undefined
  readonly #selection: KernelSelection | undefined

  constructor({ selection, uids }: Choice) {
    this.#uids = uids
    this.#selection = selection.kernel()
  }

  /** What is written by quark itself would be an event, which would be written. */
  process(): Scalar {
    const { tgid, cred } = current()
    const isOther = ne(tgid, process.pid)
    return this.#uids === undefined ? isOther : and(isOther, oneOf(cred.uid.val, this.#uids))
  }

  /** A file that is kept somewhere, and lies below what was asked for. */
  file({ f_inode: inode, f_path }: PlacedFile): Scalar {
    return and(this.kept(inode.i_sb), this.below(inode.i_sb, f_path.dentry))
  }

  /** Not a file system that keeps nothing. */
  kept({ s_magic: magic }: SuperBlock): Scalar {
    return not(oneOf(magic, PSEUDO_MAGICS))
  }

  /** Something that lies below what was asked for. */
  below({ s_dev: device }: SuperBlock, dentry: Scalar): Scalar {
    if (this.#selection === undefined) return constant(1)
    const { roots, devices } = this.#selection
    return or(not(oneOf(device, devices)), isBelow(device, dentry, roots))
  }

  /** What happened to something that is below: with a mark if that is certain whatever its path is. */
  marked(what: Scalar | number, { s_dev: device }: SuperBlock, dentry: Scalar): Scalar | number {
    const { certain = [], roots = [], devices = [] } = this.#selection ?? {}
    if (certain.length === 0) return what
    const isCertain =
      certain.length === roots.length ? oneOf(device, devices) : isBelow(device, dentry, certain)
    return or(what, ifThen(isCertain, IS_BELOW))
  }

  /** What happened to something that may be below: with the mark if it is. */
  markedIfBelow(what: Scalar | number, { s_dev: device }: SuperBlock, dentry: Scalar): Scalar | number {
    const { certain = [] } = this.#selection ?? {}
    return certain.length === 0 ? what : or(what, ifThen(isBelow(device, dentry, certain), IS_BELOW))
  }
}

/** The open file of a descriptor; all members are 0 when there is none. */
export function fileOf(descriptor: Scalar): OpenFile {
  const { fd, max_fds: count } = current().files.fdt
  return at(fd, and(descriptor, HALF), count)
}

/** A file's attributes as they are after what happened. */
export function attributesOf(inode: Inode) {
  return {
    mode: inode.i_mode,
    uid: inode.i_uid.val,
    gid: inode.i_gid.val,
    links: inode.i_nlink,
    sizeBytes: inode.i_size,
    atimeNs: accessNsOf(inode),
    mtimeNs: modificationNsOf(inode),
    ctimeNs: changeNsOf(inode),
  }
}

export function identityOf(inode: Inode) {
  return {
    pid: current().tgid,
    device: inode.i_sb.s_dev,
    inode: inode.i_ino,
    generation: inode.i_generation,
  }
}

export function doneFill({ f_inode: inode, f_path }: PlacedFile, what: Scalar | number, watched: Watched) {
  return {
    ...identityOf(inode),
    what: watched.marked(what, inode.i_sb, f_path.dentry),
    ...attributesOf(inode),
    path: path(f_path, current().fs.root),
  }
}
