/** Open files of the current process, as programs find them. */

import {
  and,
  at,
  containerOf,
  currentTask,
  type Elements,
  eq,
  lt,
  or,
  path,
  type PathStruct,
  type Scalar,
} from 'quark-ebpf/probe'

interface Name {
  readonly len: Scalar
  readonly name: Elements<Scalar>
}

interface Dentry {
  readonly d_name: Name
}

/** `struct file`. */
export interface OpenFile {
  readonly f_mode: Scalar
  readonly f_flags: Scalar
  readonly f_path: PathStruct & {
    readonly dentry: Dentry & Scalar & { readonly d_parent: Dentry }
    readonly mnt: Scalar
  }
  readonly f_inode: {
    readonly i_sb: { readonly s_magic: Scalar }
    readonly i_nlink: Scalar
    readonly i_private: Scalar
  } & Scalar
  readonly private_data: Scalar
}

interface FilesTask {
  readonly files: { readonly fdt: { readonly fd: Elements<OpenFile>; readonly max_fds: Scalar } }
  readonly fs: { readonly root: PathStruct }
}

/** Of `f_mode` (include/linux/fs.h). */
export const FMODE_WRITE = 2
/** The open made the file. */
export const FMODE_CREATED = 0x10_0000

/** The file of a descriptor; behind a number that is none everything is 0. */
export function fileOf(fd: Scalar): OpenFile {
  const { fd: files, max_fds: count } = currentTask<FilesTask>().files.fdt
  return at(files, fd, count)
}

/** Fills a tail with the path of a file, as the process sees it. */
export function pathOf({ f_path: found }: OpenFile) {
  return path(found, currentTask<FilesTask>().fs.root)
}

/** 1 if a system call returned no error. */
export function isSuccess(result: Scalar): Scalar {
  return lt(result, FIRST_ERROR)
}

/** -4095, as an unsigned number. */
const FIRST_ERROR = 2n ** 64n - 4095n

/** 1 if the last part of a path is that name, of a few letters. */
export function isNamed({ d_name: name }: Dentry, wanted: string): Scalar {
  const letters = [...Buffer.from(wanted, 'latin1')].map((letter, index) => eq(at(name.name, index), letter))
  return and(eq(name.len, wanted.length), ...(letters as [Scalar, ...Scalar[]]))
}

interface Mount {
  readonly mnt_mountpoint: Dentry
  readonly mnt_parent: Mount
}

/** Mounts at one place, each on the one before. */
const MAX_STACKED = 4

/** 1 if the mount of a file is mounted at a directory of that name, or on another mount that is. */
export function isMountedAt({ f_path: { mnt } }: OpenFile, name: string): Scalar {
  let mount = containerOf<Mount>('mount', 'mnt', mnt)
  let isThere = isNamed(mount.mnt_mountpoint, name)
  for (let below = 1; below < MAX_STACKED; below += 1) {
    mount = mount.mnt_parent
    isThere = or(isThere, isNamed(mount.mnt_mountpoint, name))
  }
  return isThere
}
