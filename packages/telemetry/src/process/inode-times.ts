/** Times of `struct inode` in ns, which newer kernels keep elsewhere. */

import { add, and, firstOf, mul, type Scalar } from 'quark-ebpf/probe'

interface Time {
  readonly tv_sec: Scalar
  readonly tv_nsec: Scalar
}

export interface InodeTimes {
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

const NS_PER_S = 1_000_000_000
/** From Linux 6.13 on the bit above says whether somebody has looked at the time. */
const NS_MASK = 0x7fff_ffff

export function accessNsOf(inode: InodeTimes): Scalar {
  return firstOf(
    nsOf(inode.i_atime_sec, inode.i_atime_nsec),
    nsOf(inode.__i_atime.tv_sec, inode.__i_atime.tv_nsec),
    nsOf(inode.i_atime.tv_sec, inode.i_atime.tv_nsec),
  )
}

export function modificationNsOf(inode: InodeTimes): Scalar {
  return firstOf(
    nsOf(inode.i_mtime_sec, inode.i_mtime_nsec),
    nsOf(inode.__i_mtime.tv_sec, inode.__i_mtime.tv_nsec),
    nsOf(inode.i_mtime.tv_sec, inode.i_mtime.tv_nsec),
  )
}

export function changeNsOf(inode: InodeTimes): Scalar {
  return firstOf(
    nsOf(inode.i_ctime_sec, inode.i_ctime_nsec),
    nsOf(inode.__i_ctime.tv_sec, inode.__i_ctime.tv_nsec),
    nsOf(inode.i_ctime.tv_sec, inode.i_ctime.tv_nsec),
  )
}

function nsOf(seconds: Scalar, ns: Scalar): Scalar {
  return add(mul(seconds, NS_PER_S), and(ns, NS_MASK))
}
