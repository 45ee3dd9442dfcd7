/** Events out of records about files. */

import { TAIL_FAILED, TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { u32At, u64At } from '../../event/record-fields.js'
import { textOf } from '../../event/record-text.js'
import { u64Of } from '../../event/time-base.js'
import { deviceText } from '../../files/mounts.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { Tables } from '../kind.js'
import { FILE_ACTIONS, type FileAction, type FileEvent, type FileType } from './events.js'
import {
  doneFacts,
  exactFacts,
  type ExactFacts,
  type FileFacts,
  safeNumber,
  seenFacts,
  stringIn,
  typeOf,
  isBelow,
  whatAt,
  wholePath,
} from './facts-of.js'
import {
  closedLayout,
  DID_CREATE,
  DID_MODIFY,
  DID_EXCHANGE,
  DID_LINK,
  DID_MKDIR,
  DID_MOVE,
  DID_RMDIR,
  DID_SYMLINK,
  doneLayout,
  movedLayout,
  movingLayout,
  namedLayout,
  RECORD_CLOSED,
  RECORD_DONE,
  seenEndLayout,
  seenLayout,
} from './records.js'
import { withoutSecrets } from '../../event/redaction.js'
import { givenPath } from '../../files/paths.js'
import { wholePathAt } from '../../memory/text.js'
import { isPseudoPath } from '../../files/pseudo.js'
import type { FileOfProcess, FileTable } from './table.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

/** Lists of actions by their bits: shared by events. Few of the possible ones happen. */
const lists = new Map<number, readonly FileAction[]>()
const MAX_LISTS = 1024

function actionsOf(bits: number): readonly FileAction[] {
  const known = lists.get(bits)
  if (known !== undefined) return known
  const list = Object.freeze(FILE_ACTIONS.filter((_action, bit) => (bits & (1 << bit)) !== 0))
  if (lists.size < MAX_LISTS) lists.set(bits, list)
  return list
}

function tableIn(tables: Tables): FileTable {
  return tables.table('file')
}

function timeOf({ words, offsetBytes }: RecordPlace): bigint {
  const w = offsetBytes >> 2
  return u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number)
}

function processOf(
  { words, offsetBytes }: RecordPlace,
  pid: number,
  tables: Tables,
): ProcessRecord | undefined {
  const w = offsetBytes >> 2
  return tables.processes
    .lookup(pid)
    ?.at((words[w + TIME_LO] as number) | 0, (words[w + TIME_HI] as number) | 0)
}

/** What an event has beside what is known of its file. */
interface Circumstances {
  readonly what: number
  readonly pid: number
  readonly bootNs: bigint
  readonly process: ProcessRecord | undefined
  readonly writtenBytes?: number | undefined
  readonly target?: string | undefined
  readonly type?: FileType | undefined
  readonly isUnverified?: boolean
  readonly isInexact?: boolean
}

function eventOf(facts: FileFacts, of: Circumstances, tables: Tables): Made<FileEvent> {
  const { attributes } = facts
  const event: Made<FileEvent> = {
    kind: 'file',
    actions: actionsOf(of.what),
    timeNs: of.bootNs + tables.timeBase.bootEpochNs,
    path: wholePath(facts.path, facts.isNameOnly),
    oldPath: wholePath(facts.oldPath, facts.isNameOnly),
    target: of.target,
    deleted: facts.isDeleted,
    unverified: of.isUnverified ?? false,
    inexact: of.isInexact ?? false,
    type: attributes === undefined ? of.type : typeOf(attributes.mode),
    device: facts.device === undefined ? undefined : deviceText(facts.device),
    inode: facts.inode,
    generation: facts.generation,
    mode: attributes?.mode,
    uid: attributes?.uid,
    gid: attributes?.gid,
    links: attributes?.links,
    size: attributes?.size,
    atimeNs: attributes?.atimeNs,
    mtimeNs: attributes?.mtimeNs,
    ctimeNs: attributes?.ctimeNs,
    writtenBytes: of.writtenBytes,
    pid: of.pid,
    process: of.process,
  }
  return withoutSecrets(event, SECRETS, tables.redaction)
}

const SECRETS = ['path', 'oldPath', 'target'] as const

const NOTHING_KNOWN: FileFacts = {
  path: undefined,
  oldPath: undefined,
  isNameOnly: false,
  isDeleted: false,
  isBelow: false,
  device: undefined,
  inode: undefined,
  generation: undefined,
  attributes: undefined,
}

/** Something was done with an open file, once or several times. */
export function applyDone(group: RecordGroup, tables: Tables): Made<FileEvent> | undefined {
  if (!group.next()) return undefined
  const pid = u32At(group, doneLayout.at.pid)
  const process = processOf(group, pid, tables)
  const change = new Change(timeOf(group))
  do change.take(group, tables)
  while (group.next())
  return change.event({ pid, process }, tables)
}

/** What the records of one file and process say together. */
class Change {
  what = 0
  writtenBytes: number | undefined
  #facts: FileFacts | undefined
  #reported: ReturnType<FileTable['end']>
  /** Records that join others come before their time. */
  #isBegun = false
  readonly #bootNs: bigint

  constructor(bootNs: bigint) {
    this.#bootNs = bootNs
  }

  take(record: RecordPlace, tables: Tables): void {
    const table = tableIn(tables)
    if (record.type === RECORD_DONE) {
      const what = whatAt(record, doneLayout.at.what)
      const file = fileIn(record, doneLayout.at)
      const facts = inPlace(doneFacts(record), file, tables)
      this.what |= what
      if (isWanted(facts, tables)) this.what &= ~table.done(file, facts.path, what, timeOf(record))
      this.#facts = facts
      if ((what & DID_MODIFY) !== 0) table.written(file, facts)
      else if ((what & DID_CREATE) !== 0) table.created(file, facts)
    } else if (record.type === RECORD_CLOSED) {
      const file = fileIn(record, closedLayout.at)
      const facts = table.closed(file) ?? closedFacts(record)
      const what = whatAt(record, closedLayout.at.what)
      if (isWanted(facts, tables)) table.done(file, undefined, what, timeOf(record))
      this.what |= what
      this.writtenBytes = safeNumber(u64At(record, closedLayout.at.writtenBytes))
      this.#facts ??= facts
    } else {
      const report = table.end(u32At(record, seenEndLayout.at.id), this.#isBegun)
      if (report !== undefined) {
        this.what |= report.left
        this.#reported ??= report
      }
    }
    this.#isBegun = true
  }

  event(of: Pick<Circumstances, 'pid' | 'process'>, tables: Tables): Made<FileEvent> | undefined {
    const { what, writtenBytes } = this
    const facts = this.#facts ?? this.#reported?.facts
    if (what === 0 || facts === undefined || !isWanted(facts, tables)) return undefined
    const isInexact = this.#facts === undefined
    const bootNs = isInexact ? (this.#reported?.untilNs ?? this.#bootNs) : this.#bootNs
    return eventOf(facts, { ...of, what, bootNs, writtenBytes, isInexact }, tables)
  }
}

/** What was opened through a mount that is not asked for is where fanotify reports it, if that is. */
function inPlace(facts: FileFacts, file: FileOfProcess, tables: Tables): FileFacts {
  if (facts.path === undefined || isWanted({ ...facts, isBelow: false }, tables)) return facts
  const path = tableIn(tables).reportedPath(file, facts.path)
  return path === undefined ? facts : { ...facts, path, isNameOnly: false }
}

function isWanted(facts: FileFacts, tables: Tables): boolean {
  return tableIn(tables).isWanted(facts)
}

function fileIn(
  record: RecordPlace,
  at: Pick<typeof doneLayout.at, 'pid' | 'device' | 'inode' | 'generation'>,
): FileOfProcess {
  return {
    pid: u32At(record, at.pid),
    device: u32At(record, at.device),
    inode: u64At(record, at.inode),
    generation: u32At(record, at.generation),
  }
}

function closedFacts(record: RecordPlace): FileFacts {
  const { at } = closedLayout
  return {
    ...NOTHING_KNOWN,
    device: u32At(record, at.device),
    inode: u64At(record, at.inode),
    generation: u32At(record, at.generation),
  }
}

/** fanotify reported something: it waits for calls that say it better. */
export function applySeen(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const { at } = seenLayout
  const what = whatAt(group, at.what)
  tableIn(tables).report({
    id: u32At(group, at.id),
    pid: u32At(group, at.pid),
    facts: seenFacts(group),
    sinceNs: timeOf(group),
    untilNs: u64At(group, at.untilNs),
    what,
    left: what,
  })
}

/** Something happened to a name. */
export function applyNamed(group: RecordGroup, tables: Tables): Made<FileEvent> | undefined {
  if (!group.next()) return undefined
  const { at, fixedSizeBytes } = namedLayout
  const text = textOf(group)
  const base = u32At(group, at.base)
  const name = stringIn(text, fixedSizeBytes + (base & TAIL_LENGTH_MASK), u32At(group, at.name))
  const exact = exactFacts(group, at)
  if (name === undefined && exact === undefined) return undefined
  const path =
    name === undefined ? wholePathAt(text, fixedSizeBytes, base) : givenPath(text, fixedSizeBytes, base, name)
  const call = { pid: u32At(group, at.pid), what: whatAt(group, at.what), path, exact }
  return named(group, { ...call, isInPlace: isPlain(name ?? '', base) }, tables)
}

/** The kernel begins to move a file. */
export function applyMoving(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const { at, fixedSizeBytes } = movingLayout
  const path = wholePathAt(textOf(group), fixedSizeBytes, u32At(group, at.path))
  if (path === undefined) return
  tableIn(tables).moving(fileIn(group, at), { path, isBelow: isBelow(u32At(group, at.what)) })
}

/** The same where there are two names. */
export function applyMoved(group: RecordGroup, tables: Tables): Made<FileEvent> | undefined {
  if (!group.next()) return undefined
  const { at, fixedSizeBytes } = movedLayout
  const text = textOf(group)
  const tails = [at.base, at.toBase, at.name, at.toName].map((offset) => u32At(group, offset))
  const [base = 0, toBase = 0, first = 0, second = 0] = tails
  const toBaseStart = fixedSizeBytes + (base & TAIL_LENGTH_MASK)
  const nameStart = toBaseStart + (toBase & TAIL_LENGTH_MASK)
  const name = stringIn(text, nameStart, first)
  const toName = stringIn(text, nameStart + (first & TAIL_LENGTH_MASK), second)
  const what = whatAt(group, at.what)
  const exact = exactFacts(group, at)
  if (toName === undefined) {
    if (exact === undefined) return undefined
    const target = (what & DID_SYMLINK) === 0 ? undefined : name
    return exactlyMoved(group, { pid: u32At(group, at.pid), what, target, exact }, tables)
  }
  const path = givenPath(text, toBaseStart, toBase, toName)
  const isSymlink = (what & DID_SYMLINK) !== 0
  // A file without a name gets one.
  const isNew = (what & DID_LINK) !== 0 && exact?.attributes?.links === 1
  const oldPath =
    isSymlink || isNew || name === undefined ? undefined : givenPath(text, fixedSizeBytes, base, name)
  const target = isSymlink ? name : undefined
  const isInPlace = isPlain(toName, toBase) && (oldPath === undefined || isPlain(name ?? '', base))
  const call = { pid: u32At(group, at.pid), what, path, oldPath, target, exact, isInPlace }
  // The other one of the two was moved as well.
  if ((what & DID_EXCHANGE) !== 0 && oldPath !== undefined && exact === undefined)
    tableIn(tables).named(call.pid, what, oldPath, timeOf(group), true)
  return named(group, call, tables)
}

/** Whether a name is that of something directly in a directory that the kernel gave: no symbolic link leads elsewhere. */
function isPlain(name: string, base: number): boolean {
  return !name.includes('/') && (base & TAIL_FAILED) === 0
}

/** The kernel has both places. */
function exactlyMoved(
  group: RecordPlace,
  call: Pick<NamedCall, 'pid' | 'what' | 'target'> & { readonly exact: ExactFacts },
  tables: Tables,
): Made<FileEvent> | undefined {
  const { at, fixedSizeBytes } = movedLayout
  const { what } = call
  let { exact } = call
  const text = textOf(group)
  const base = u32At(group, at.base)
  const path = wholePathAt(text, fixedSizeBytes + (base & TAIL_LENGTH_MASK), u32At(group, at.toBase))
  let oldPath: string | undefined
  if ((what & (DID_MOVE | DID_EXCHANGE)) !== 0) {
    const before = tableIn(tables).moved(fileIn(group, at))
    oldPath = before?.path
    if (before?.isBelow === true) exact = { ...exact, isBelow: true }
  }
  // A file without a name gets one.
  else if ((what & DID_LINK) !== 0 && exact.attributes?.links !== 1)
    oldPath = wholePathAt(text, fixedSizeBytes, base)
  return named(group, { ...call, exact, path, oldPath, isInPlace: true }, tables)
}

interface NamedCall {
  readonly pid: number
  readonly what: number
  readonly path: string | undefined
  readonly oldPath?: string | undefined
  readonly target?: string | undefined
  readonly exact: ExactFacts | undefined
  /** The paths are certain but for their last names. */
  readonly isInPlace: boolean
}

function named(record: RecordPlace, call: NamedCall, tables: Tables): Made<FileEvent> | undefined {
  const { pid, what, target, exact } = call
  const bootNs = timeOf(record)
  const facts =
    exact === undefined ? factsByName(call, bootNs, tables) : exactlyNamed(call, exact, bootNs, tables)
  if (facts === undefined || !isWanted(facts, tables)) return undefined
  const of = {
    what,
    pid,
    bootNs,
    process: processOf(record, pid, tables),
    target,
    type: typeByCall(what),
    isUnverified: facts.isUnverified,
  }
  return eventOf(facts, of, tables)
}

interface NamedFacts extends FileFacts {
  readonly isUnverified: boolean
}

function exactlyNamed(
  { pid, what, path, oldPath }: NamedCall,
  exact: ExactFacts,
  bootNs: bigint,
  tables: Tables,
): NamedFacts | undefined {
  if (path === undefined) return undefined
  const table = tableIn(tables)
  // Where fanotify reports the same.
  const isAsked = isWanted({ ...NOTHING_KNOWN, path, oldPath, isBelow: exact.isBelow }, tables)
  if (table.reported(pid, what, path, bootNs, isAsked) === 'told') return undefined
  if ((what & DID_EXCHANGE) !== 0 && oldPath !== undefined)
    table.reported(pid, what, oldPath, bootNs, isAsked)
  return { ...exact, path, oldPath, isNameOnly: false, isDeleted: false, isUnverified: false }
}

/** What fanotify reports of the same is better. */
function factsByName(
  { pid, what, path, oldPath, isInPlace }: NamedCall,
  bootNs: bigint,
  tables: Tables,
): NamedFacts | undefined {
  if (path === undefined) return undefined
  const isAsked = isWanted({ ...NOTHING_KNOWN, path, oldPath }, tables)
  const reported = isPseudoPath(path) ? undefined : tableIn(tables).named(pid, what, path, bootNs, isAsked)
  if (reported === 'told') return undefined
  const isName = reported?.isNameOnly ?? false
  const known = wholePath(reported?.path, isName)
  const isVerified = known !== undefined
  // The file system below an overlay, and another mount, have other paths than the process sees.
  if (isVerified && isInPlace && tableIn(tables).selection.wants(path))
    return { ...(reported ?? NOTHING_KNOWN), path, oldPath, isNameOnly: false, isUnverified: false }
  const old = (what & DID_LINK) === 0 ? (wholePath(reported?.oldPath, isName) ?? oldPath) : oldPath
  return {
    ...(reported ?? NOTHING_KNOWN),
    path: known ?? path,
    oldPath: old,
    isNameOnly: false,
    isUnverified: !isVerified,
  }
}

function typeByCall(what: number): FileType | undefined {
  if ((what & (DID_MKDIR | DID_RMDIR)) !== 0) return 'dir'
  return (what & DID_SYMLINK) === 0 ? undefined : 'symlink'
}
