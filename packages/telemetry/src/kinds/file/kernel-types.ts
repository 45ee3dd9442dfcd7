/** The members of kernel structures that the probes of files touch. */

import type { Elements, PathStruct, Scalar } from 'quark-ebpf/probe'

/** struct timespec64. */
interface Time {
  readonly tv_sec: Scalar
  readonly tv_nsec: Scalar
}

export interface Inode {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_mode: Scalar
  readonly i_uid: { readonly val: Scalar }
  readonly i_gid: { readonly val: Scalar }
  readonly i_nlink: Scalar
  readonly i_size: Scalar
  readonly i_sb: { readonly s_dev: Scalar; readonly s_magic: Scalar }
  /** Up to 6.6. */
  readonly i_atime: Time
  readonly i_mtime: Time
  readonly i_ctime: Time
  /** Up to 6.10. */
  readonly __i_atime: Time
  readonly __i_mtime: Time
  readonly __i_ctime: Time
  readonly i_atime_sec: Scalar
  readonly i_atime_nsec: Scalar
  readonly i_mtime_sec: Scalar
  readonly i_mtime_nsec: Scalar
  readonly i_ctime_sec: Scalar
  readonly i_ctime_nsec: Scalar
}

export interface OpenFile {
  readonly f_mode: Scalar
  readonly f_path: PathStruct
  readonly f_inode: Inode
}

export interface FileTask {
  readonly tgid: Scalar
  readonly cred: { readonly uid: { readonly val: Scalar } }
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
  readonly files: { readonly fdt: { readonly fd: Elements<OpenFile>; readonly max_fds: Scalar } }
}

export interface Dentry {
  readonly d_name: { readonly name: Scalar }
  readonly d_parent: Scalar
  readonly d_inode: Inode
}
