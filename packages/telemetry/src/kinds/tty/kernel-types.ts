/** The members of kernel structures that the probes of terminals touch. */

import type { Elements, Scalar } from 'quark-ebpf/probe'

/** `struct tty_struct`. */
export interface Tty {
  readonly driver: {
    readonly major: Scalar
    readonly minor_start: Scalar
    /** Absent of the consoles. */
    readonly driver_name: Scalar
    readonly name: Scalar
  }
  readonly index: Scalar
  /** The other side of a pseudo-terminal. */
  readonly link: Scalar
  /** Of the slave of a pseudo-terminal: its entry in the devpts. */
  readonly driver_data: Scalar
  readonly termios: {
    readonly c_iflag: Scalar
    readonly c_oflag: Scalar
    readonly c_cflag: Scalar
    readonly c_lflag: Scalar
  }
  readonly winsize: { readonly ws_row: Scalar; readonly ws_col: Scalar }
}

export interface Dentry {
  readonly d_sb: { readonly s_dev: Scalar }
}

export interface File {
  readonly private_data: Scalar
  readonly f_inode: { readonly i_mode: Scalar; readonly i_rdev: Scalar }
}

/** `struct tty_file_private`. */
export interface TtyFile {
  readonly tty: Scalar
}

/** `struct kiocb`. */
export interface Kiocb {
  readonly ki_filp: File
}

/** `struct iov_iter`, whose members have moved and got other names. */
export interface IovIter {
  readonly iter_type: Scalar
  /** Until 5.13, with flags beside it. */
  readonly type: Scalar
  readonly count: Scalar
  readonly nr_segs: Scalar
  readonly iov: Scalar
  /** Since 6.4. */
  readonly __iov: Scalar
  /** Since 6.0. */
  readonly ubuf: Scalar
}

/** `struct task_struct`. */
export interface TtyTask {
  readonly tgid: Scalar
  readonly group_leader: { readonly thread_pid: NumberedPid }
  readonly files: { readonly fdt: { readonly fd: Elements<File>; readonly max_fds: Scalar } }
}

interface NumberedPid {
  readonly level: Scalar
  readonly numbers: Elements<{
    readonly nr: Scalar
    readonly ns: { readonly ns: { readonly inum: Scalar } }
  }>
}
