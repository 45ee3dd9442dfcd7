/** Applies process records: they change the table, and make an event. */

import type { IdChange, ProcessAction, ProcessEvent } from './events.js'
import type { Ids } from '../../process/process.js'
import type { Tables } from '../kind.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { textOf } from '../../event/record-text.js'
import type { ProcessRecord } from '../../process/entry.js'
import { settleOrigin } from '../../process/origin.js'
import {
  cgroupIdOf,
  coversFork,
  readComm,
  readEnding,
  readExecTails,
  readCoveredFork,
  readCreator,
  readForkTails,
  readIdentity,
  readStart,
  readUsage,
  startWord,
  TIME_HI,
  TIME_LO,
} from './decode.js'
import {
  ACTION_COMM_CHANGE,
  ACTION_EXEC,
  ACTION_EXIT,
  ACTION_FORK,
  ACTION_ID_CHANGE,
  actionsOf,
  ProcessChange,
} from './events.js'
import { HAS_CAPS, HAS_COMM, HAS_IDENTITY, HAS_IDS, HAS_SESSION, HAS_TTY } from '../../process/known.js'
import {
  RECORD_COMM,
  RECORD_EXEC,
  RECORD_EXIT,
  RECORD_EXIT_USAGE,
  RECORD_FORK,
  RECORD_ID_CHANGE,
} from './records.js'
import { PROC_EVENT_GID, PROC_EVENT_SID, PROC_EVENT_UID } from './kernel-ids.js'
import { EXEC_SHIFT, ID_CHANGE_SHIFT, ownComm } from './identity.js'
import { PrivilegeWatch } from './privileges.js'
import { commLayout, execLayout, exitLayout, forkLayout, idChangeLayout } from './records.js'

const FORK_PID = forkLayout.at.pid >> 2
const EXEC_PID = execLayout.at.pid >> 2
const ID_CHANGE_PID = idChangeLayout.at.pid >> 2
const ID_CHANGE_TID = idChangeLayout.at.tid >> 2
const ID_CHANGE_WHAT = idChangeLayout.at.what >> 2
const ID_CHANGE_KNOWN = idChangeLayout.at.known >> 2
const COMM_PID = commLayout.at.pid >> 2
const COMM_START = commLayout.at.startBootNs >> 2
const EXIT_PID = exitLayout.at.pid >> 2
const EXIT_START = exitLayout.at.startBootNs >> 2

/** A new program has another name, and may have other rights. */
const CHANGED_BY_EXEC = HAS_COMM | HAS_CAPS

/** Groups of fields that a call changes; a new session has no terminal. */
function changedBy(what: number): number {
  const ids = (what & (PROC_EVENT_UID | PROC_EVENT_GID)) === 0 ? 0 : HAS_IDS | HAS_CAPS
  return ids | ((what & PROC_EVENT_SID) === 0 ? 0 : HAS_TTY)
}

/** Watches the event that is being made. */
const privileges = new PrivilegeWatch()

/**
 * Applies the records of a group, all of one pid and of the types below. Whatever the table of joins says, an event ends
 * before a record with which it would hide that the process gained rights.
 */
export function applyProcessChanges(group: RecordGroup, tables: Tables): ProcessEvent | undefined {
  let actions = 0
  let process: ProcessRecord | undefined
  let changed = 0
  let idsBefore: Partial<Ids> | undefined
  let timeLo = 0
  let timeHi = 0
  privileges.isBegun = false
  let ppid: number | undefined
  while (group.next()) {
    const { words } = group
    const w = group.offsetBytes >> 2
    if (process === undefined) {
      timeLo = words[w + TIME_LO] as number
      timeHi = words[w + TIME_HI] as number
    }
    if (privileges.isBegun && isHiding(group.type, words, w)) {
      group.leaveRest()
      break
    }
    if (process !== undefined) {
      ppid ??= process.ppid
      if (!isEnding(group.type))
        process.keepPast((words[w + TIME_LO] as number) | 0, (words[w + TIME_HI] as number) | 0)
    }
    switch (group.type) {
      case RECORD_FORK:
        process = applyFork(group, words, w, tables)
        actions |= ACTION_FORK
        break
      case RECORD_EXEC:
        process = applyExec(group, words, w, tables)
        actions |= ACTION_EXEC
        break
      case RECORD_EXIT:
      case RECORD_EXIT_USAGE:
        process = applyExit(group, words, w, tables)
        actions |= ACTION_EXIT
        break
      case RECORD_COMM:
        process = entryAt(words, w + COMM_PID, w + COMM_START, tables)
        readComm(process, group)
        actions |= ACTION_COMM_CHANGE
        break
      case RECORD_ID_CHANGE:
        process = idChangeEntry(words, w, tables)
        idsBefore ??= process.knownIds
        applyIdChange(process, group, w, tables)
        changed |= words[w + ID_CHANGE_WHAT] as number
        actions |= ACTION_ID_CHANGE
        break
      default:
    }
  }
  if (process === undefined) return undefined
  keepParent(process, ppid)
  tables.processes.adoptMarks(process)
  tables.processes.deliver(process, (actions & ACTION_EXIT) !== 0)
  const { filter } = tables
  if (filter !== undefined && !filter.wants(candidate.of(actions, process))) return undefined
  const idChange = idsBefore === undefined ? undefined : idChangeOf(changed, idsBefore, process)
  const { bootEpochNs } = tables.timeBase
  return new ProcessChange(actions, process, idChange, timeLo, timeHi, bootEpochNs)
}

/** What the filter is asked about, in place of an event; reused. */
class Candidate {
  readonly kind = 'process'
  actions: readonly ProcessAction[] = []
  process: ProcessRecord | undefined

  of(actions: number, process: ProcessRecord): this {
    this.actions = actionsOf(actions)
    this.process = process
    return this
  }
}

const candidate = new Candidate()

/** Whether an event with this record would hide that rights were gained. */
function isHiding(type: number, words: Uint32Array, w: number): boolean {
  if (type === RECORD_EXEC) return privileges.hides(words, w + (EXEC_SHIFT >> 2))
  return type === RECORD_ID_CHANGE && privileges.hides(words, w + (ID_CHANGE_SHIFT >> 2))
}

function isEnding(type: number): boolean {
  return type === RECORD_EXIT || type === RECORD_EXIT_USAGE
}

/** An event has the parent with which it began; later events have the one in its last record. */
function keepParent(process: ProcessRecord, ppid: number | undefined): void {
  if (ppid === undefined || process.ppid === ppid) return
  process.laterPpid = process.ppid
  process.ppid = ppid
}

/** The entry for the process whose pid and start are at these words. */
function entryAt(words: Uint32Array, pid: number, start: number, { processes }: Tables): ProcessRecord {
  const lo = (words[start] as number) | 0
  const hi = (words[start + 1] as number) | 0
  const entry = processes.entryOf(words[pid] as number, lo, hi)
  readStart(entry, words, start)
  return entry
}

/** The place of the record after a fork, reused. */
const following: RecordPlace = {
  type: 0,
  words: new Uint32Array(0),
  bytes: Buffer.alloc(0),
  offsetBytes: 0,
  lengthBytes: 0,
}

function applyFork(group: RecordGroup, words: Uint32Array, w: number, tables: Tables): ProcessRecord {
  const process = entryAt(words, w + FORK_PID, startWord(w, 0), tables)
  const isNew = process.identity === undefined
  const isCovered = group.peek(following) && following.type === RECORD_EXEC && coversFork(following, words, w)
  const text = isCovered ? undefined : textOf(group)
  if (text === undefined) readCoveredFork(process, group, tables.processes)
  else readIdentity(process, words, w, text, 0, HAS_IDENTITY)
  readCreator(process, words, w)
  const parent = isNew ? tables.processes.peek(process.creator as number) : undefined
  if (parent !== undefined && parent !== process)
    process.inherit(parent, words[w + TIME_LO] as number, words[w + TIME_HI] as number)
  if (isNew) tables.processes.inheritMarks(process, parent === process ? undefined : parent)
  privileges.beginNew(words, w)
  if (text !== undefined) process.newComm = undefined
  readCgroup(process, words, w, 0, tables)
  if (text !== undefined) readForkTails(process, words, w, text, tables.processes)
  if (process.origin === undefined) settleOrigin(process, tables.processes)
  return process
}

function applyExec(group: RecordGroup, words: Uint32Array, w: number, tables: Tables): ProcessRecord {
  const process = entryAt(words, w + EXEC_PID, startWord(w, EXEC_SHIFT), tables)
  const text = textOf(group)
  if (!privileges.isBegun) privileges.begin(process.identity, words, w + (EXEC_SHIFT >> 2))
  readIdentity(process, words, w, text, EXEC_SHIFT, CHANGED_BY_EXEC)
  process.newComm = undefined
  readCgroup(process, words, w, EXEC_SHIFT, tables)
  readExecTails(process, words, w, text, tables.processes)
  // Only the leader of a session can be an entry of its own.
  if (process.pid === process.sid || process.origin === undefined) settleOrigin(process, tables.processes)
  return process
}

function applyExit(group: RecordGroup, words: Uint32Array, w: number, tables: Tables): ProcessRecord {
  const process = entryAt(words, w + EXIT_PID, w + EXIT_START, tables)
  readEnding(process, group)
  if (group.type === RECORD_EXIT_USAGE) readUsage(process, group)
  tables.processes.markEnded(process)
  return process
}

/** The record of a thread has the start of the thread, not of its process. */
function idChangeEntry(words: Uint32Array, w: number, tables: Tables): ProcessRecord {
  const pid = words[w + ID_CHANGE_PID] as number
  if (pid !== words[w + ID_CHANGE_TID]) return tables.processes.presentEntryOf(pid)
  return entryAt(words, w + ID_CHANGE_PID, startWord(w, ID_CHANGE_SHIFT), tables)
}

function applyIdChange(process: ProcessRecord, group: RecordGroup, w: number, tables: Tables): void {
  const { words } = group
  // The name in the record is the thread's; the process's stays as it was.
  const isThread = process.pid !== words[w + ID_CHANGE_TID]
  if (!isThread) process.newComm = undefined
  else if (process.newComm === undefined) process.newComm = ownComm(process.identity?.comm)
  const what = words[w + ID_CHANGE_WHAT] as number
  const known = words[w + ID_CHANGE_KNOWN] as number
  if ((what & PROC_EVENT_SID) !== 0 && (known & HAS_SESSION) === 0) {
    process.pgid = undefined
    process.sid = undefined
  }
  if (!privileges.isBegun) privileges.begin(process.identity, words, w + (ID_CHANGE_SHIFT >> 2))
  readIdentity(process, words, w, textOf(group), ID_CHANGE_SHIFT, changedBy(what))
  readCgroup(process, words, w, ID_CHANGE_SHIFT, tables)
}

/** Sets the cgroup; if its name is unknown, the one before must not stay. */
function readCgroup(
  process: ProcessRecord,
  words: Uint32Array,
  w: number,
  shift: number,
  tables: Tables,
): void {
  const id = cgroupIdOf(words, w, shift)
  if (id === 0) return
  process.cgroup = tables.cgroups.pathOf(id)
}

function idChangeOf(changed: number, from: Partial<Ids>, process: ProcessRecord): IdChange {
  return {
    changed: [
      ...((changed & PROC_EVENT_SID) === 0 ? [] : (['sid'] as const)),
      ...((changed & PROC_EVENT_UID) === 0 ? [] : (['uid'] as const)),
      ...((changed & PROC_EVENT_GID) === 0 ? [] : (['gid'] as const)),
    ],
    from,
    to: process.knownIds,
  }
}
