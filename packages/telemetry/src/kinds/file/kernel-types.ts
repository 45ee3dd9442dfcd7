/** The members of kernel structures that the probes of files touch. */

import type { Elements, PathStruct, Scalar } from 'quark-ebpf/probe'
import type { InodeTimes } from '../../process/inode-times.js'

export interface Inode extends InodeTimes {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_mode: Scalar
  readonly i_uid: { readonly val: Scalar }
  readonly i_gid: { readonly val: Scalar }
  readonly i_nlink: Scalar
  readonly i_size: Scalar
  readonly i_sb: { readonly s_dev: Scalar; readonly s_magic: Scalar }
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
