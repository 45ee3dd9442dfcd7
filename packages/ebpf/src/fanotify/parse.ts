/** Events of fanotify, out of the bytes that a read gives. Pure. */

/** Bits of an event's mask: include/uapi/linux/fanotify.h. */
export const FAN_OPEN = 0x20
export const FAN_ACCESS = 0x1
export const FAN_MODIFY = 0x2
export const FAN_ATTRIB = 0x4
export const FAN_CLOSE_WRITE = 0x8
export const FAN_CREATE = 0x100
export const FAN_DELETE = 0x200
export const FAN_Q_OVERFLOW = 0x4000
export const FAN_RENAME = 0x1000_0000
export const FAN_ONDIR = 0x4000_0000

/** Kinds of the pieces of information behind an event's metadata. */
const INFO_FID = 1
const INFO_DFID_NAME = 2
const INFO_DFID = 3
const INFO_OLD_DFID_NAME = 10
const INFO_NEW_DFID_NAME = 12

const METADATA_BYTES = 24
const METADATA_VERSION = 3
/** struct fanotify_event_info_header, and the fsid behind it. */
const INFO_HEADER_BYTES = 4
const FSID_BYTES = 8
/** struct file_handle without its bytes. */
const HANDLE_HEADER_BYTES = 8
const MAX_HANDLE_BYTES = 128

/** How the kernel names a file across its life: its file system, and a handle that is unique there. */
export interface FileHandle {
  /** Id of the file system, as statfs(2) has it. */
  readonly fileSystemId: bigint
  /** Both as text, one character a byte: the same for the same file. */
  readonly key: string
  /** A `struct file_handle`. */
  readonly handle: Buffer
}

/** The handle of which `key` is the key. */
export function handleOfKey(key: string): FileHandle {
  const bytes = Buffer.from(key, 'latin1')
  return { fileSystemId: bytes.readBigUInt64LE(0), key, handle: bytes.subarray(FSID_BYTES) }
}

/** A name in a directory. */
export interface NamedEntry {
  readonly directory: FileHandle
  /** One character a byte; `.` for the directory itself. Absent when the kernel did not give one. */
  readonly name: string | undefined
}

/** What happened to a file. */
export interface FanotifyEvent {
  /** `FAN_` bits; several if the kernel merged events that waited. */
  readonly mask: number
  /** Of the process, in the pid namespace of the reader; 0 when it is in none that the reader sees. */
  readonly pid: number
  readonly file: FileHandle | undefined
  /** Where it is; of a move, where it is now. */
  readonly at: NamedEntry | undefined
  /** Of a move: where it was. */
  readonly from: NamedEntry | undefined
}

/**
 * Whether an event of a file is left out. Asked before anything is made of it; for a move only if it is true of both
 * directories. Events of directories are never left out, nor are events of files behind one that says that a directory moved:
 * what is known of directories may be wrong then.
 *
 * @param directory `key` of the directory's handle
 */
export type FanotifySkip = (pid: number, directory: string) => boolean

/** The events in the first `length` bytes; what is cut or of another version ends the list. */
export function parseFanotify(bytes: Buffer, length: number, skip?: FanotifySkip): FanotifyEvent[] {
  const events: FanotifyEvent[] = []
  let isAsked = skip !== undefined
  for (let at = 0; at + METADATA_BYTES <= length;) {
    const size = bytes.readUInt32LE(at)
    if (size < METADATA_BYTES || at + size > length || bytes[at + 4] !== METADATA_VERSION) break
    const mask = bytes.readUInt32LE(at + 8)
    if ((mask & FAN_ONDIR) !== 0 && (mask & FAN_RENAME) !== 0) isAsked = false
    if (!isAsked || (mask & FAN_ONDIR) !== 0 || !isSkipped(bytes, at, at + size, skip as FanotifySkip))
      events.push(parseEvent(bytes, at, at + size))
    at += size
  }
  return events
}

function isSkipped(bytes: Buffer, start: number, end: number, skip: FanotifySkip): boolean {
  const pid = bytes.readInt32LE(start + 20)
  let hasDirectory = false
  for (let at = start + bytes.readUInt16LE(start + 6); at + INFO_HEADER_BYTES <= end;) {
    const infoEnd = at + bytes.readUInt16LE(at + 2)
    if (infoEnd < at + INFO_HEADER_BYTES || infoEnd > end) return false
    if (bytes[at] !== INFO_FID) {
      const handleStart = at + INFO_HEADER_BYTES + FSID_BYTES
      if (handleStart + HANDLE_HEADER_BYTES > infoEnd) return false
      const handleEnd = handleStart + HANDLE_HEADER_BYTES + bytes.readUInt32LE(handleStart)
      if (handleEnd > infoEnd) return false
      if (!skip(pid, bytes.toString('latin1', at + INFO_HEADER_BYTES, handleEnd))) return false
      hasDirectory = true
    }
    at = infoEnd
  }
  return hasDirectory
}

function parseEvent(bytes: Buffer, start: number, end: number): FanotifyEvent {
  const event: { -readonly [K in keyof FanotifyEvent]: FanotifyEvent[K] } = {
    // Its upper half has no bits.
    mask: bytes.readUInt32LE(start + 8),
    pid: bytes.readInt32LE(start + 20),
    file: undefined,
    at: undefined,
    from: undefined,
  }
  for (let at = start + bytes.readUInt16LE(start + 6); at + INFO_HEADER_BYTES <= end;) {
    const size = bytes.readUInt16LE(at + 2)
    if (size < INFO_HEADER_BYTES || at + size > end) break
    const infoEnd = at + size
    switch (bytes[at]) {
      case INFO_FID:
        event.file = handleAt(bytes, at + INFO_HEADER_BYTES, infoEnd)
        break
      case INFO_DFID_NAME:
      case INFO_NEW_DFID_NAME:
      case INFO_DFID:
        event.at = entryAt(bytes, at + INFO_HEADER_BYTES, infoEnd)
        break
      case INFO_OLD_DFID_NAME:
        event.from = entryAt(bytes, at + INFO_HEADER_BYTES, infoEnd)
        break
    }
    at = infoEnd
  }
  return event
}

function handleAt(bytes: Buffer, at: number, end: number): FileHandle | undefined {
  const handleStart = at + FSID_BYTES
  if (handleStart + HANDLE_HEADER_BYTES > end) return undefined
  const length = bytes.readUInt32LE(handleStart)
  const handleEnd = handleStart + HANDLE_HEADER_BYTES + length
  if (length === 0 || length > MAX_HANDLE_BYTES || handleEnd > end) return undefined
  return {
    fileSystemId: bytes.readBigUInt64LE(at),
    key: bytes.toString('latin1', at, handleEnd),
    // The buffer is read into once more.
    handle: Buffer.from(bytes.subarray(handleStart, handleEnd)),
  }
}

function entryAt(bytes: Buffer, at: number, end: number): NamedEntry | undefined {
  const directory = handleAt(bytes, at, end)
  if (directory === undefined) return undefined
  const start = at + FSID_BYTES + directory.handle.length
  const zero = bytes.indexOf(0, start)
  const nameEnd = zero === -1 || zero > end ? end : zero
  return { directory, name: nameEnd > start ? bytes.toString('latin1', start, nameEnd) : undefined }
}

/** What a handle says of its file: the number of its inode, and its generation. Undefined for types that are not known. */
export function inodeOfHandle({ handle }: FileHandle): { inode: bigint; generation: number } | undefined {
  const type = handle.readInt32LE(4)
  const length = handle.readUInt32LE(0)
  // include/linux/exportfs.h; a shared memory file system has three words, of which the first is the generation.
  if (type === 1 && length === 12)
    return { inode: handle.readBigUInt64LE(12), generation: handle.readUInt32LE(8) }
  if ((type === 1 && length === 8) || (type === 2 && length >= 8))
    return { inode: BigInt(handle.readUInt32LE(8)), generation: handle.readUInt32LE(12) }
  if ((type === 0x81 || type === 0x82) && length >= 12)
    return { inode: handle.readBigUInt64LE(8), generation: handle.readUInt32LE(16) }
  // Btrfs: object, root, generation.
  if ((type === 0x4d || type === 0x4e || type === 0x4f) && length >= 20)
    return { inode: handle.readBigUInt64LE(8), generation: handle.readUInt32LE(24) }
  return undefined
}
