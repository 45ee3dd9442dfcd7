/** Events, and parts of events of execs, out of records of files that were written before they are executed. */

import { shownText } from '../../event/redaction.js'
import type { BaseEvent } from '../../event/event.js'
import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { charsAt, TailReader, timeNsAt, u32At, u64At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import { processAt } from '../../process/at.js'
import type { ExecChange } from '../../process/exec-change.js'
import type { Process } from '../../process/process.js'
import type { Tables } from '../kind.js'
import type { ExecChangeEvent } from './events.js'
import { baseName, scriptArgument } from './interpreters.js'
import { COMM_BYTES, execChangeLayout, FILE_SCRIPT, scriptOpenLayout } from './records.js'
import { relationOf } from './relation.js'

type Layout = typeof execChangeLayout | typeof scriptOpenLayout

/** What a record says of its file; undefined if the process does not belong to who wrote it. */
function changeOf(
  place: RecordPlace,
  { at }: Layout,
  about: Pick<ExecChange, 'file' | 'script'>,
  tables: Tables,
): ExecChange | undefined {
  const pid = u32At(place, at.pid)
  const writerPid = u32At(place, at.writerPid)
  const w = place.offsetBytes >> 2
  const process = processAt(place.words, w, writerPid, w + (at.writerStartBootNs >> 2), tables)
  const writer = { pid: writerPid, sid: u32At(place, at.writerSid), isKnown: process !== undefined }
  const relation = relationOf(writer, { pid, sid: u32At(place, at.sid) }, tables.processes)
  if (relation === undefined) return undefined
  return {
    file: about.file,
    script: shownText(about.script, tables.redaction),
    relation,
    openedNs: u64At(place, at.openedNs) + tables.timeBase.bootEpochNs,
    writerPid,
    writerEntityId: process?.entityId,
    writerComm: charsAt(place, at.writerComm, COMM_BYTES),
    writerUid: u32At(place, at.writerUid),
    memfd: u32At(place, at.isMemfd) !== 0,
  }
}

function executedOf(place: RecordPlace, tables: Tables): ExecChange | undefined {
  const isScript = u32At(place, execChangeLayout.at.file) === FILE_SCRIPT
  const name = isScript ? new TailReader(place, execChangeLayout).string(execChangeLayout.at.name) : undefined
  return changeOf(place, execChangeLayout, { file: isScript ? 'script' : 'program', script: name }, tables)
}

/** The script is the file whose name is one of the first arguments: those behind are what it is given. */
const FIRST_ARGUMENTS = 4

type Executed = Pick<Process, 'exe' | 'argv'>

/** Whether what was opened has the name of the script. */
function isScript(name: string, isArgument: boolean, executed: Executed): boolean {
  if (isArgument) return baseName(scriptArgument(executed) ?? '') === name
  return executed.argv?.slice(1, FIRST_ARGUMENTS).some((argument) => baseName(argument) === name) ?? false
}

function openedOf(
  place: RecordPlace,
  executed: Executed | undefined,
  tables: Tables,
): ExecChange | undefined {
  const { at } = scriptOpenLayout
  const path = new TailReader(place, scriptOpenLayout).path(at.path)
  if (path === undefined || executed === undefined) return undefined
  if (!isScript(baseName(path), u32At(place, at.isArgument) !== 0, executed)) return undefined
  return changeOf(place, scriptOpenLayout, { file: 'script', script: path }, tables)
}

/** An event to which it can be added: that of an exec. */
interface ExecEvent {
  readonly process?: Executed | undefined
  execChange?: ExecChange | undefined
}

/** What somebody wrote is executed: the event of the exec has it. */
export function joinExecuted(place: RecordPlace, event: BaseEvent | undefined, tables: Tables): void {
  if (event !== undefined) addTo(event, executedOf(place, tables))
}

/** A script is opened by what interprets it: the event of the exec has it. */
export function joinOpened(place: RecordPlace, event: BaseEvent | undefined, tables: Tables): void {
  if (event !== undefined) addTo(event, openedOf(place, (event as ExecEvent).process, tables))
}

/** A program that is known stays, if its script is known, too. */
function addTo(event: BaseEvent, change: ExecChange | undefined): void {
  const exec = event as ExecEvent
  if (change !== undefined) exec.execChange ??= change
}

/** The event of the exec was delivered already. */
export function applyExecuted(group: RecordGroup, tables: Tables): Made<ExecChangeEvent> | undefined {
  if (!group.next()) return undefined
  return eventOf(group, execChangeLayout, executedOf(group, tables), tables)
}

/** The same of a script. */
export function applyOpened(group: RecordGroup, tables: Tables): Made<ExecChangeEvent> | undefined {
  if (!group.next()) return undefined
  const { process } = actorOf(group, scriptOpenLayout.at, tables)
  return eventOf(group, scriptOpenLayout, openedOf(group, process, tables), tables)
}

function eventOf(
  place: RecordPlace,
  { at }: Layout,
  execChange: ExecChange | undefined,
  tables: Tables,
): Made<ExecChangeEvent> | undefined {
  if (execChange === undefined) return undefined
  const { process } = actorOf(place, at, tables)
  const pid = u32At(place, at.pid)
  return { kind: 'execChange', timeNs: timeNsAt(place, tables.timeBase), pid, execChange, process }
}
