/** The members of kernel structures that the probes of files touch. */

import type { Elements, PathStruct, Scalar } from 'quark-ebpf/probe'
import type { InodeTimes } from '../../process/inode-times.js'

export interface SuperBlock {
  readonly s_dev: Scalar
  readonly s_magic: Scalar
}

export interface Inode extends InodeTimes {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_mode: Scalar
  readonly i_flags: Scalar
  readonly i_uid: { readonly val: Scalar }
  readonly i_gid: { readonly val: Scalar }
  readonly i_nlink: Scalar
  readonly i_size: Scalar
  readonly i_sb: SuperBlock
}

export interface OpenFile {
  readonly f_mode: Scalar
  readonly f_flags: Scalar
  readonly f_path: PathStruct
  readonly f_inode: Inode
}

export interface FileTask {
  readonly tgid: Scalar
  readonly flags: Scalar
  readonly signal: { readonly nr_threads: Scalar }
  readonly cred: { readonly uid: { readonly val: Scalar } }
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
  readonly files: { readonly fdt: { readonly fd: Elements<OpenFile>; readonly max_fds: Scalar } }
}

export interface Dentry {
  readonly d_inode: Inode
  readonly d_sb: SuperBlock
}

/** `struct vfsmount`, and the `struct mount` around it. */
export interface VfsMount {
  readonly mnt_sb: Scalar
}

export interface Mount {
  readonly mnt_ns: Scalar
}

/** What renames get since Linux 5.12. */
export interface RenameData {
  readonly old_dentry: Dentry
  readonly flags: Scalar
}

/** What of a file is set: bits of `ia_valid` say which members count. */
export interface Attributes {
  readonly ia_valid: Scalar
  readonly ia_file: OpenFile
}
