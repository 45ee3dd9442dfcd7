/** What records say of a file, as events have it. */

import { TAIL_DELETED, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_PSEUDO } from 'quark-ebpf/probe'
import type { RecordPlace } from '../../event/raw.js'
import { u32At, u64At } from '../../event/record-fields.js'
import { textOf } from '../../event/record-text.js'
import { isCut } from '../../files/paths.js'
import { cstringAt, wholePathAt } from '../../memory/text.js'
import type { FileType } from './events.js'
import { doneLayout, IS_BELOW, type movedLayout, type namedLayout, seenLayout } from './records.js'

/** What is known of a file. */
export interface FileFacts {
  readonly path: string | undefined
  readonly oldPath: string | undefined
  /** The directory is not known: `path` and `oldPath` are names alone. */
  readonly isNameOnly: boolean
  readonly isDeleted: boolean
  /** It lies below what is asked for, though its path may be another one, through another mount. */
  readonly isBelow: boolean
  readonly device: number | undefined
  readonly inode: bigint | undefined
  readonly generation: number | undefined
  readonly attributes: FileAttributes | undefined
}

/** A name whose directory is not known is no path. */
export function wholePath(path: string | undefined, isName: boolean): string | undefined {
  return isName ? undefined : path
}

/** Attributes of a file; times are epoch ns. */
export interface FileAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly links: number
  readonly size: number | undefined
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

const S_IFMT = 0o170000
const TYPES: Readonly<Record<number, FileType>> = {
  0o010000: 'fifo',
  0o020000: 'char',
  0o040000: 'dir',
  0o060000: 'block',
  0o100000: 'file',
  0o120000: 'symlink',
  0o140000: 'socket',
}

export function typeOf(mode: number): FileType | undefined {
  return TYPES[mode & S_IFMT]
}

/** Undefined for one that is not exact. */
export function safeNumber(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
}

const NO_FILE: ExactFacts = {
  device: undefined,
  inode: undefined,
  generation: undefined,
  attributes: undefined,
  isBelow: false,
}

type AttributeOffsets =
  | typeof doneLayout.at
  | typeof seenLayout.at
  | typeof namedLayout.at
  | typeof movedLayout.at

function attributesIn(record: RecordPlace, at: AttributeOffsets): FileAttributes {
  return {
    mode: u32At(record, at.mode),
    uid: u32At(record, at.uid),
    gid: u32At(record, at.gid),
    links: u32At(record, at.links),
    size: safeNumber(u64At(record, at.sizeBytes)),
    atimeNs: u64At(record, at.atimeNs),
    mtimeNs: u64At(record, at.mtimeNs),
    ctimeNs: u64At(record, at.ctimeNs),
  }
}

/** What happened, without the mark. */
export function whatAt(record: RecordPlace, offset: number): number {
  return u32At(record, offset) & ~IS_BELOW
}

export function isBelow(what: number): boolean {
  return (what & IS_BELOW) !== 0
}

/** Of a record about an open file. */
export function doneFacts(record: RecordPlace): FileFacts {
  const { at, fixedSizeBytes } = doneLayout
  const descriptor = u32At(record, at.path)
  return {
    path: wholePathAt(textOf(record), fixedSizeBytes, descriptor),
    oldPath: undefined,
    isNameOnly: false,
    isDeleted: (descriptor & TAIL_DELETED) !== 0 || (descriptor & TAIL_PSEUDO) !== 0,
    isBelow: isBelow(u32At(record, at.what)),
    device: u32At(record, at.device),
    inode: u64At(record, at.inode),
    generation: u32At(record, at.generation),
    attributes: attributesIn(record, at),
  }
}

/** What the kernel says of a file whose name it has. */
export type ExactFacts = Pick<FileFacts, 'device' | 'inode' | 'generation' | 'attributes' | 'isBelow'>

/** Of a record about a name: what the kernel says of the file; undefined where a process has said it. */
export function exactFacts(
  record: RecordPlace,
  at: typeof namedLayout.at | typeof movedLayout.at,
): ExactFacts | undefined {
  if (u32At(record, at.isExact) === 0) return undefined
  // Some file systems look up what they have made when it is asked for.
  const of = { isBelow: isBelow(u32At(record, at.what)) }
  if (u64At(record, at.inode) === 0n) return { ...NO_FILE, ...of }
  return {
    ...of,
    device: u32At(record, at.device),
    inode: u64At(record, at.inode),
    generation: u32At(record, at.generation),
    attributes: attributesIn(record, at),
  }
}

/** Of a report of fanotify. */
export function seenFacts(record: RecordPlace): FileFacts {
  const { at, fixedSizeBytes } = seenLayout
  const text = textOf(record)
  const path = u32At(record, at.path)
  const oldPath = u32At(record, at.oldPath)
  const hasInode = u32At(record, at.hasInode)
  const oldStart = fixedSizeBytes + (path & TAIL_LENGTH_MASK)
  const known = stringIn(text, fixedSizeBytes, path)
  return {
    path: known,
    isNameOnly: known !== undefined && !known.startsWith('/') && !isCut(known),
    oldPath: stringIn(text, oldStart, oldPath),
    isDeleted: false,
    isBelow: false,
    device: u32At(record, at.device) || undefined,
    inode: hasInode === 0 ? undefined : u64At(record, at.inode),
    generation: hasInode < 2 ? undefined : u32At(record, at.generation),
    attributes: u32At(record, at.hasAttributes) === 0 ? undefined : attributesIn(record, at),
  }
}

/** A string tail; undefined if it is empty or could not be read. */
export function stringIn(text: string, start: number, descriptor: number): string | undefined {
  const length = descriptor & TAIL_LENGTH_MASK
  if ((descriptor & TAIL_FAILED) !== 0 || length === 0) return undefined
  return cstringAt(text, start, length)
}
