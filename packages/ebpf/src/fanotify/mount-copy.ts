/** What is mounted at a path, and copies of that. Neither holds the mount itself: it can be unmounted meanwhile. */

import { Fd } from '../sys/fd.js'
import { cloneMount, statMount, terminated } from '../sys/libc.js'
import { checked } from '../sys/permission.js'

/** Of struct statx: include/uapi/linux/stat.h. */
const STATX_BYTES = 256
const MASK_OFFSET = 0
const DEVICE_MAJOR_OFFSET = 136
const DEVICE_MINOR_OFFSET = 140
const MOUNT_ID_OFFSET = 144
const STATX_MNT_ID = 0x1000

/** A mount as statx(2) shows it. */
export interface MountAt {
  /** As in /proc/self/mountinfo. */
  readonly id: number
  /** The kernel's number of the device, the major above twenty bits of the minor. On btrfs that of the subvolume. */
  readonly device: number
}

/**
 * What a path is on. Whoever serves that file system is not asked. A symbolic link at the end is not followed, and nothing is
 * mounted automatically. Undefined if nothing is there. Needs Linux 5.8.
 */
export function mountAt(path: string | Uint8Array): MountAt | undefined {
  return mountOf(terminated(path))
}

/** @param at a NUL-terminated path, or a descriptor */
function mountOf(at: Uint8Array | number): MountAt | undefined {
  const statx = Buffer.alloc(STATX_BYTES)
  if (statMount(at, STATX_MNT_ID, statx) < 0) return undefined
  if ((statx.readUInt32LE(MASK_OFFSET) & STATX_MNT_ID) === 0) return undefined
  const major = statx.readUInt32LE(DEVICE_MAJOR_OFFSET)
  const minor = statx.readUInt32LE(DEVICE_MINOR_OFFSET)
  return { id: Number(statx.readBigUInt64LE(MOUNT_ID_OFFSET)), device: ((major << 20) | minor) >>> 0 }
}

/**
 * A copy of a mount that is mounted nowhere. While it is open its file system stays, though nobody sees it: close it soon.
 * Needs Linux 5.2 and CAP_SYS_ADMIN.
 *
 * @example
 * ```ts
 * using copy = MountCopy.of('/home')
 * console.log(readdirSync(copy.reference))
 * ```
 */
export class MountCopy implements Disposable {
  /** Closed with it. */
  readonly fd: Fd

  private constructor(fd: Fd) {
    this.fd = fd
  }

  /**
   * Copies what is mounted at a path.
   *
   * @param path where it is mounted; a symbolic link at the end is not followed
   * @throws {KernelError} when the kernel refuses: without CAP_SYS_ADMIN with EPERM, of unbindable mounts with EINVAL
   */
  static of(path: string | Uint8Array): MountCopy {
    const result = cloneMount(terminated(path))
    return new MountCopy(new Fd(checked('Cannot copy a mount', 'open_tree', result), 'copy of a mount'))
  }

  /** A path that leads to what is mounted. */
  get reference(): string {
    return `/proc/self/fd/${this.fd.number}`
  }

  /** As `mountAt` gives it; undefined if it cannot be read. */
  get device(): number | undefined {
    return mountOf(this.fd.number)?.device
  }

  [Symbol.dispose](): void {
    this.fd.close()
  }
}
