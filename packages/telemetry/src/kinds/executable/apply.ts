/** What is known of executed files, out of records: parts of events of execs, and events of their own. */

import { TAIL_DELETED, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_PSEUDO, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { BaseEvent } from '../../event/event.js'
import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { TailReader, timeNsAt, u32At } from '../../event/record-fields.js'
import { shownText } from '../../event/redaction.js'
import { ProcessRecord } from '../../process/entry.js'
import { type Executable, type FilePackage, UNREAD_REASONS } from '../../process/executable.js'
import type { Tables } from '../kind.js'
import { type AskedFile, type FileContent, type FileIdentity, keyOf, scriptKeyOf } from './asked.js'
import type { ExecutableEvent } from './events.js'
import { contentLayout, executedLayout, FOUND, SCRIPT } from './records.js'
import { identityAt } from './seen.js'
import { type ExecutableTable, isToBeAsked, type Waiting } from './table.js'

const { at } = executedLayout

function tableIn(tables: Tables): ExecutableTable {
  return tables.table<ExecutableTable>('executable')
}

/** The file of a record as a question about it. */
function fileAt(
  place: RecordPlace,
  identity: FileIdentity,
): AskedFile & { readonly isMemfd: boolean; readonly name: string | undefined } {
  const tails = new TailReader(place, executedLayout)
  const exe = u32At(place, at.exe)
  const path = tails.path(at.exe)
  const nameTail = u32At(place, at.name)
  const given = tails.string(at.name)
  const isScript = u32At(place, at.isScript) === SCRIPT && (nameTail & TAIL_TRUNCATED) === 0
  const isMemfd = (exe & TAIL_PSEUDO) !== 0 && path?.startsWith('memfd:') === true
  const isPath = (exe & (TAIL_FAILED | TAIL_PSEUDO | TAIL_TRUNCATED)) === 0 && (exe & TAIL_LENGTH_MASK) !== 0
  return {
    ...identity,
    pid: u32At(place, at.pid),
    path: isPath && path?.startsWith('/') === true ? path : undefined,
    isDeleted: (exe & TAIL_DELETED) !== 0,
    script: isScript && given?.startsWith('/') === true ? given : undefined,
    isKnown: false,
    isMemfd,
    name: isScript ? given : undefined,
  }
}

/** The key of the script that is asked about; undefined if there is none. */
function scriptKeyIn(file: AskedFile, fileKey: string, tables: Tables): string | undefined {
  const isAsked = file.script !== undefined && tables.settings['packages'] === true
  return isAsked ? scriptKeyOf(fileKey, file.script) : undefined
}

/** Asks about the file as early as it can be: maybe it is read before the event of the exec is due. */
export function askEarly(place: RecordPlace, tables: Tables): void {
  const table = tableIn(tables)
  const { key, identity } = table.seen.of(place, at)
  // Mostly all is known, and nothing is to be read out of the record.
  if (u32At(place, at.isScript) !== SCRIPT && !isToBeAsked(table.contentOf(key))) return
  const { isMemfd: _isMemfd, name: _name, ...file } = fileAt(place, identity)
  table.ask(key, scriptKeyIn(file, key, tables), file)
}

/** The process of the event of an exec, or of one that was found, has its file. */
export function joinExecuted(place: RecordPlace, event: BaseEvent | undefined, tables: Tables): void {
  const made = (event as { readonly process?: unknown } | undefined)?.process
  const pid = u32At(place, at.pid)
  const process = made instanceof ProcessRecord ? made : tables.processes.peek(pid)
  const waiting = fileOf(place, process, tables)
  // Nobody has seen the image yet: it is that of this exec.
  if (process?.image !== undefined) process.image.file ??= waiting.executable
  // One that was found has no event if nobody asked for it, and is to have the file all the same.
  if (event !== undefined) wait(waiting, tables)
  else if (process !== undefined && isFound(place)) wait({ ...waiting, isSilent: true }, tables)
}

/** What is known of the file of a record, of a process that waits for more. */
function fileOf(place: RecordPlace, process: ProcessRecord | undefined, tables: Tables): Waiting {
  const table = tableIn(tables)
  const seen = table.seen.of(place, at)
  const content = table.contentOf(seen.key)
  const pid = u32At(place, at.pid)
  const isPlain =
    u32At(place, at.isScript) !== SCRIPT && (u32At(place, at.exe) & (TAIL_DELETED | TAIL_PSEUDO)) === 0
  if (isPlain && content !== undefined && seen.content === content && seen.executable !== undefined) {
    const { key: fileKey, executable } = seen
    return { pid, executable, fileKey, scriptKey: undefined, process, isSilent: false }
  }
  const file = fileAt(place, seen.identity)
  const scriptKey = scriptKeyIn(file, seen.key, tables)
  const ofScript = scriptKey === undefined ? undefined : table.contentOf(scriptKey)
  const executable: Executable = {
    device: file.device,
    inode: BigInt(file.inode),
    generation: file.generation,
    sizeBytes: file.sizeBytes,
    modifiedNs: BigInt(file.mtimeNs),
    memfd: file.isMemfd,
    deleted: file.isDeleted && !file.isMemfd,
    script: shownText(file.name, tables.redaction),
    ...partsOf(content, ofScript),
  }
  if (isPlain) {
    seen.content = content
    seen.executable = executable
  }
  return { pid, executable, fileKey: seen.key, scriptKey, process, isSilent: false }
}

function wait(waiting: Waiting, tables: Tables): void {
  const table = tableIn(tables)
  const { fileKey, scriptKey } = waiting
  if (table.contentOf(fileKey) === undefined) table.wait(fileKey, waiting)
  if (scriptKey !== undefined && table.contentOf(scriptKey) === undefined) table.wait(scriptKey, waiting)
}

/** Whether it is of a process that was there already. */
function isFound(place: RecordPlace): boolean {
  return u32At(place, at.isScript) === FOUND
}

function partsOf(
  content: FileContent | undefined,
  ofScript: FileContent | undefined,
): Pick<Executable, 'replaced' | 'sha256' | 'unread' | 'package' | 'scriptPackage'> {
  return {
    replaced: content?.replaced ?? false,
    sha256: content?.sha256,
    unread: content?.unread,
    package: content?.package,
    scriptPackage: ofScript?.scriptPackage,
  }
}

/**
 * The exec itself was lost, or is none of the events that are wanted; or what was found before this was applied already, as
 * there was too much of it to be held. Then the process has the file, if it still executes that.
 */
export function applyExecuted(group: RecordGroup, tables: Tables): undefined {
  if (!group.next() || !isFound(group)) return
  const process = tables.processes.lookup(u32At(group, at.pid))
  if (process?.image === undefined || process.image.file !== undefined) return
  const waiting = fileOf(group, process, tables)
  if (process.exe !== new TailReader(group, executedLayout).path(at.exe)) return
  const present = tables.processes.withExecutable(process, waiting.executable)
  wait({ ...waiting, process: present, isSilent: true }, tables)
}

/** Something is known of a file: events from now on have it. */
export function learn(place: RecordPlace, tables: Tables): void {
  const table = tableIn(tables)
  const { fileKey, content } = contentAt(place)
  if (content.sha256 !== undefined || content.unread !== undefined) table.learn(fileKey, content)
  if (content.script !== undefined) table.learn(scriptKeyOf(fileKey, content.script), content)
}

/** The processes whose events were delivered without it are reported. */
export function applyContent(group: RecordGroup, tables: Tables): Made<ExecutableEvent> | undefined {
  if (!group.next()) return undefined
  const table = tableIn(tables)
  const { fileKey, content } = contentAt(group)
  table.announce(fileKey)
  if (content.script !== undefined) table.announce(scriptKeyOf(fileKey, content.script))
  table.announcedNs = timeNsAt(group, tables.timeBase)
  return nextEvent(tables)
}

/** The event of the next process that is announced, of those that are to be reported. */
export function nextEvent(tables: Tables): Made<ExecutableEvent> | undefined {
  const { announced } = tableIn(tables)
  for (;;) {
    const waiting = announced.shift()
    if (waiting === undefined) return undefined
    const event = eventOf(waiting, tables)
    if (!waiting.isSilent) return event
  }
}

function eventOf(waiting: Waiting, tables: Tables): Made<ExecutableEvent> {
  const table = tableIn(tables)
  const { pid, fileKey, scriptKey } = waiting
  const ofScript = scriptKey === undefined ? undefined : table.contentOf(scriptKey)
  const executable: Executable = { ...waiting.executable, ...partsOf(table.contentOf(fileKey), ofScript) }
  return {
    kind: 'executable',
    timeNs: table.announcedNs,
    pid,
    executable,
    process: processOf(waiting, executable, tables),
  }
}

/** The process, which has it from now on if it still executes the same. */
function processOf(waiting: Waiting, executable: Executable, tables: Tables): ProcessRecord | undefined {
  const { processes } = tables
  const present = processes.lookup(waiting.pid)
  if (present === undefined || present.image?.file !== waiting.executable) return waiting.process
  return processes.withExecutable(present, executable)
}

function contentAt(place: RecordPlace): { fileKey: string; content: FileContent } {
  const text = new TailReader(place, contentLayout).string(contentLayout.at.text)
  const content = contentFrom(text ?? '')
  return { fileKey: keyOf(identityAt(place, contentLayout.at)), content }
}

/** Recordings may come from anywhere: what has another form says nothing. */
function contentFrom(text: string): FileContent {
  let members: Readonly<Record<string, unknown>> = {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) members = value as typeof members
  } catch {
    // Then it is not known why nothing is known.
  }
  const { sha256, unread, replaced, script } = members
  return {
    sha256: typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
    unread: UNREAD_REASONS.find((reason) => reason === unread),
    replaced: replaced === true,
    package: packageFrom(members['package']),
    script: typeof script === 'string' ? script : undefined,
    scriptPackage: packageFrom(members['scriptPackage']),
  }
}

const PACKAGE_TYPES = ['deb', 'rpm', 'apk', 'npm'] as const
const MAX_TEXT = 256

function packageFrom(value: unknown): FilePackage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { type, name, version, architecture } = value as Readonly<Record<string, unknown>>
  const known = PACKAGE_TYPES.find((one) => one === type)
  const text = (one: unknown): string | undefined =>
    typeof one === 'string' && one !== '' ? one.slice(0, MAX_TEXT) : undefined
  const called = text(name)
  if (known === undefined || called === undefined) return undefined
  return { type: known, name: called, version: text(version), architecture: text(architecture) }
}
