/** A fanotify group that reports what happens on file systems, by directory and name. */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { constants as systemConstants } from 'node:os'
import { NotSupportedError } from '../errors.js'
import { Fd } from '../sys/fd.js'
import { fanotifyInit, fanotifyMark, openByHandle, statFileSystem, terminated } from '../sys/libc.js'
import { checked } from '../sys/permission.js'
import type { MountCopy } from './mount-copy.js'
import { type FanotifyEvent, type FanotifySkip, type FileHandle, parseFanotify } from './parse.js'

const FAN_CLOEXEC = 0x1
const FAN_NONBLOCK = 0x2
/** Report the file, its directory and its name. */
const FAN_REPORT_DFID_NAME_TARGET = 0x1e00
const FAN_MARK_ADD = 0x1
const FAN_MARK_REMOVE = 0x2
const FAN_MARK_FLUSH = 0x80
const FAN_MARK_FILESYSTEM = 0x100
/** The mark does not keep the inode in memory, ignores events until it goes, and says whether that is of what is in a directory. */
const FAN_MARK_IGNORE = 0x40 | 0x200 | 0x400
const FAN_EVENT_ON_CHILD = 0x0800_0000

const READ_BYTES = 64 * 1024
/** Of struct statfs on 64-bit machines. */
const STATFS_BYTES = 120
const FSID_OFFSET = 56
const O_PATH = 0o10000000
const SLASH = 0x2f
/** Of paths of removed files below /proc. */
const DELETED = Buffer.from(' (deleted)')

/**
 * A group of fanotify. Its queue holds 16,384 events; when it is full, an event says so (`FAN_Q_OVERFLOW`) without a
 * number. Needs Linux 5.17 and CAP_SYS_ADMIN.
 *
 * @example
 * ```ts
 * using group = FanotifyGroup.open()
 * group.markFileSystem('/home', FAN_CREATE | FAN_DELETE | FAN_ONDIR)
 * for (const { mask, pid, at } of group.read()) console.log(mask, pid, at?.name)
 * ```
 */
export class FanotifyGroup implements Disposable {
  /** Readable when there are events. */
  readonly fd: Fd
  readonly #buffer = Buffer.alloc(READ_BYTES)
  #isEmpty = true

  private constructor(fd: Fd) {
    this.fd = fd
  }

  /**
   * @throws {NotSupportedError} before Linux 5.17
   * @throws {KernelError} when the kernel refuses: without CAP_SYS_ADMIN with EPERM
   */
  static open(): FanotifyGroup {
    const flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME_TARGET
    const result = fanotifyInit(flags, constants.O_RDONLY)
    if (result === -systemConstants.errno.EINVAL)
      throw new NotSupportedError('fanotify with the names of files', '5.17')
    return new FanotifyGroup(new Fd(checked('Cannot watch files', 'fanotify_init', result), 'fanotify group'))
  }

  /**
   * Watches the whole file system that has `path`. The mark does not keep it from being unmounted, and ends with it.
   *
   * @param mask `FAN_` bits
   * @throws {KernelError} when the kernel refuses: EOPNOTSUPP and ENODEV for file systems without handles
   */
  markFileSystem(path: string | Uint8Array, mask: number): void {
    const flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM
    const result = fanotifyMark(this.fd.number, flags, mask, terminated(path))
    checked('Cannot watch a file system', 'fanotify_mark', result)
  }

  /** Ends watching the file system that has `path`, if it is watched. */
  unmarkFileSystem(path: string | Uint8Array, mask: number): void {
    fanotifyMark(this.fd.number, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, mask, terminated(path))
  }

  /**
   * Ignores what happens to files in a directory, though not in directories below it: no event is made of it. That lasts until
   * the kernel forgets the directory, or `heedAll()`. Needs Linux 6.0.
   *
   * @param mask `FAN_` bits
   * @throws {KernelError} when the kernel refuses: before Linux 6.0 with EINVAL
   */
  ignoreIn(directory: string | Uint8Array, mask: number): void {
    const flags = FAN_MARK_ADD | FAN_MARK_IGNORE
    const result = fanotifyMark(this.fd.number, flags, mask | FAN_EVENT_ON_CHILD, terminated(directory))
    checked('Cannot ignore a directory', 'fanotify_mark', result)
  }

  /** Ends ignoring all directories. */
  heedAll(): void {
    fanotifyMark(this.fd.number, FAN_MARK_FLUSH, 0, terminated('/'))
  }

  /** Whether there was nothing to read when it was read last. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /**
   * The events that wait, oldest first: as many as fit 64 KiB. An empty list if there are none, or
   * all are skipped.
   *
   * @param skip what is left out, before anything is made of it
   */
  read(skip?: FanotifySkip): FanotifyEvent[] {
    this.#isEmpty = true
    const sizeBytes = this.#fill()
    this.#isEmpty = sizeBytes === 0
    return parseFanotify(this.#buffer, sizeBytes, skip)
  }

  #fill(): number {
    try {
      return readSync(this.fd.number, this.#buffer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      throw error
    }
  }

  close(): void {
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The id of the file system that has `path`, as events have it; undefined if it cannot be read. */
export function fileSystemId(path: string | Uint8Array): bigint | undefined {
  const statfs = Buffer.alloc(STATFS_BYTES)
  return statFileSystem(terminated(path), statfs) < 0 ? undefined : statfs.readBigUInt64LE(FSID_OFFSET)
}

/**
 * Paths of handles of one file system. It holds a copy of a mount, not the mount, so that this can be unmounted meanwhile; the
 * file system stays as long: close it soon.
 */
export class HandlePaths implements Disposable {
  readonly #mount: MountCopy
  readonly #directory: number
  /** Without a slash at its end. */
  readonly #place: Buffer

  /**
   * @param mount is closed with it, also if this throws
   * @param place where it is mounted: paths begin with it
   * @throws {Error} what `fs.openSync` throws
   */
  constructor(mount: MountCopy, place: Buffer) {
    this.#mount = mount
    this.#place = place.at(-1) === SLASH ? place.subarray(0, -1) : place
    try {
      this.#directory = openSync(mount.reference, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      mount[Symbol.dispose]()
      throw error
    }
  }

  /** The id of the file system; undefined if it cannot be read. Another one may have been mounted there meanwhile. */
  get fileSystemId(): bigint | undefined {
    return fileSystemId(`/proc/self/fd/${this.#directory}`)
  }

  /**
   * The path that a directory has now; undefined if it is gone or cannot be opened. Needs CAP_DAC_READ_SEARCH.
   */
  pathOf(directory: FileHandle): Buffer | undefined {
    return this.withDirectory(directory, (own, fd) => {
      const path = readlinkSync(own, { encoding: 'buffer' })
      return !endsWith(path, DELETED) || fstatSync(fd).nlink > 0 ? this.#whole(path) : undefined
    })
  }

  /**
   * What `use` returns of a directory: it gets a path that leads to it whatever happens to its name, and a descriptor (O_PATH),
   * both for as long as it runs. Undefined if the directory is gone or cannot be opened, or `use` throws.
   */
  withDirectory<T>({ handle }: FileHandle, use: (path: string, fd: number) => T): T | undefined {
    const fd = openByHandle(this.#directory, handle, O_PATH | constants.O_NOFOLLOW)
    if (fd < 0) return undefined
    using owned = new Fd(fd, 'file of a handle')
    try {
      return use(`/proc/self/fd/${owned.number}`, owned.number)
    } catch {
      // It was removed meanwhile.
      return undefined
    }
  }

  /**
   * What a file is now; undefined if it is gone or cannot be opened. Nothing that is mounted over its path is asked. Needs
   * CAP_DAC_READ_SEARCH.
   */
  statOf({ handle }: FileHandle): BigIntStats | undefined {
    const fd = openByHandle(this.#directory, handle, O_PATH | constants.O_NOFOLLOW)
    if (fd < 0) return undefined
    using owned = new Fd(fd, 'file of a handle')
    return fstatSync(owned.number, { bigint: true })
  }

  /** The same of a name in a directory. */
  statIn({ handle }: FileHandle, name: string | Uint8Array): BigIntStats | undefined {
    const fd = openByHandle(this.#directory, handle, O_PATH | constants.O_NOFOLLOW)
    if (fd < 0) return undefined
    using owned = new Fd(fd, 'file of a handle')
    try {
      const directory = Buffer.from(`/proc/self/fd/${owned.number}/`)
      // The copy of the mount has no other mounts below it.
      return lstatSync(Buffer.concat([directory, Buffer.from(name as string)]), { bigint: true })
    } catch {
      return undefined
    }
  }

  /** Paths in the copy begin with what is mounted. */
  #whole(path: Buffer): Buffer {
    if (path.length > 1) return Buffer.concat([this.#place, path])
    return this.#place.length === 0 ? path : this.#place
  }

  [Symbol.dispose](): void {
    closeSync(this.#directory)
    this.#mount[Symbol.dispose]()
  }
}

function endsWith(bytes: Buffer, end: Buffer): boolean {
  return bytes.length >= end.length && bytes.subarray(bytes.length - end.length).equals(end)
}
