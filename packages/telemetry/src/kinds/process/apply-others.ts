/** Records that stand alone: threads, failed execs, and processes found in /proc. */

import { shownText } from '../../event/redaction.js'
import type { ExecFailedEvent, SnapshotEvent, ThreadEvent } from './events.js'
import type { Tables } from '../kind.js'
import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import { u64Of } from '../../event/time-base.js'
import { ProcessRecord } from '../../process/entry.js'
import { cstringAt } from '../../memory/text.js'
import { readSnapshot, TIME_HI, TIME_LO } from './decode.js'
import { RECORD_THREAD_EXIT } from './records.js'
import { execFailedLayout, snapshotLayout, threadExitLayout, threadForkLayout } from './records.js'

function timeNsOf(words: Uint32Array, w: number, { timeBase }: Tables): bigint {
  return u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + timeBase.bootEpochNs
}

/** The process of a record as it was at the time of that. */
function processAt(
  pid: number,
  words: Uint32Array,
  w: number,
  { processes }: Tables,
): ProcessRecord | undefined {
  return processes.lookup(pid)?.at((words[w + TIME_LO] as number) | 0, (words[w + TIME_HI] as number) | 0)
}

const THREAD_PID = threadForkLayout.at.pid >> 2
const THREAD_TID = threadForkLayout.at.tid >> 2
const MAX_COMM_BYTES = 15
const THREAD_EXIT_CODE = threadExitLayout.at.exitCode >> 2

/** A thread began or ended; both records have these fields at the same offsets. */
export function applyThread(group: RecordGroup, tables: Tables): Made<ThreadEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = words[w + THREAD_PID] as number
  const hasEnded = group.type === RECORD_THREAD_EXIT
  const status = hasEnded ? (words[w + THREAD_EXIT_CODE] as number) : 0
  const signal = status & 0x7f
  return {
    kind: 'thread',
    action: hasEnded ? 'exit' : 'fork',
    timeNs: timeNsOf(words, w, tables),
    pid,
    tid: words[w + THREAD_TID] as number,
    comm: cstringAt(textOf(group), threadForkLayout.at.comm, MAX_COMM_BYTES),
    exitCode: hasEnded && signal === 0 ? (status >> 8) & 0xff : undefined,
    ...(signal === 0 ? {} : { exitSignal: signal }),
    process: processAt(pid, words, w, tables),
  }
}

const FAILED_PID = execFailedLayout.at.pid >> 2
const FAILED_TID = execFailedLayout.at.tid >> 2
const FAILED_RESULT = execFailedLayout.at.result >> 2
const FAILED_FILENAME = execFailedLayout.at.filename >> 2

/** An execve(2) failed. */
export function applyExecFailed(group: RecordGroup, tables: Tables): Made<ExecFailedEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = words[w + FAILED_PID] as number
  return {
    kind: 'execFailed',
    timeNs: timeNsOf(words, w, tables),
    pid,
    tid: words[w + FAILED_TID] as number,
    filename: shownText(
      stringTail(textOf(group), execFailedLayout.fixedSizeBytes, words[w + FAILED_FILENAME] as number),
      tables.redaction,
    ),
    errno: -((words[w + FAILED_RESULT] as number) | 0),
    process: processAt(pid, words, w, tables),
  }
}

const SNAPSHOT_PID = snapshotLayout.at.pid >> 2

/** A process was found in /proc. */
export function applySnapshot(group: RecordGroup, tables: Tables): Made<SnapshotEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const found = new ProcessRecord(words[w + SNAPSHOT_PID] as number, tables.timeBase)
  readSnapshot(found, group, tables.processes)
  const process = tables.processes.applySnapshot(found)
  if (tables.settings['snapshot'] !== true) return undefined
  return { kind: 'snapshot', timeNs: timeNsOf(words, w, tables), process }
}
