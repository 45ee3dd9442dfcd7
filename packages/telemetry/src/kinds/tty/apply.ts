/** Events out of records of terminals. */

import { isUtf8 } from 'node:buffer'
import { TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { Made } from '../../event/forms.js'
import type { JoinPair } from '../../event/join.js'
import type { RecordGroup } from '../../event/raw.js'
import { s64At } from '../../event/record-fields.js'
import { u64Of } from '../../event/time-base.js'
import { latin1Of } from '../../memory/text.js'
import { ttyNameOf } from '../../process/tty.js'
import type { Tables } from '../kind.js'
import { ORIGINS, type TtyEvent } from './events.js'
import { ttyLayout } from './records.js'

/** Most bytes that several writes have together as one event. */
export const MOST_JOINED_BYTES = 4096
/** Most writes that become one event, and the longest time between the first and the last. */
const MOST_WRITES = 256
const LONGEST_NS = 1_000_000_000

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

const { at, fixedSizeBytes } = ttyLayout
const PID = at.pid >> 2
const MAJOR = at.ttyMajor >> 2
const MINOR = at.ttyMinor >> 2
const DEVPTS = at.devpts >> 2
const ORIGIN = at.origin >> 2
const COLUMNS = at.columns >> 2
const ROWS = at.rows >> 2
const INPUT = at.inputFlags >> 2
const OUTPUT = at.outputFlags >> 2
const CONTROL = at.controlFlags >> 2
const LOCAL = at.localFlags >> 2
const DRIVER = at.driver >> 2
const DATA = at.data >> 2

/** Fields in which writes of one event agree, beside the terminal, by which they are chained. */
const SAME = [
  'pid',
  'origin',
  'columns',
  'rows',
  'inputFlags',
  'outputFlags',
  'controlFlags',
  'localFlags',
] as const

type TtyFields = Readonly<Record<(typeof SAME)[number], number>>

/** Whether a write joins an earlier one: by the same process, in the same state of the terminal, and soon. */
export function isContinued({ parent, child }: JoinPair<TtyFields>): boolean {
  if (parent.childCount >= MOST_WRITES - 1 || child.timeNs - parent.timeNs > LONGEST_NS) return false
  for (const name of SAME) if (parent.fields[name] !== child.fields[name]) return false
  return true
}

/** What one record has of a write. */
interface Write {
  readonly bytes: Buffer
  readonly writtenBytes: number
  readonly missingBytes: number
}

/** A view of what was written, which is valid as long as the record is shown. */
function writeAt(place: RecordGroup, w: number): Write {
  const { words, bytes, offsetBytes } = place
  const descriptor = words[w + DATA] as number
  const writtenBytes = Math.max(0, s64At(place, at.writtenBytes))
  const start = offsetBytes + fixedSizeBytes + ((words[w + DRIVER] as number) & TAIL_LENGTH_MASK)
  const length = descriptor & TAIL_LENGTH_MASK
  const data = bytes.subarray(start, start + length)
  if (length === 0 || (descriptor & TAIL_FAILED) !== 0) {
    return { bytes: data.subarray(0, 0), writtenBytes, missingBytes: writtenBytes }
  }
  // With secrets taken out it has another length.
  const isAsGiven = length === s64At(place, at.givenBytes)
  const isCut = (descriptor & TAIL_TRUNCATED) !== 0
  const kept = isAsGiven || isCut ? data.subarray(0, writtenBytes) : data
  return { bytes: kept, writtenBytes, missingBytes: isCut ? Math.max(0, writtenBytes - kept.length) : 0 }
}

function driverAt({ words, bytes, offsetBytes }: RecordGroup, w: number): string | undefined {
  const descriptor = words[w + DRIVER] as number
  const start = offsetBytes + fixedSizeBytes
  // The last byte is a NUL.
  const end = start + (descriptor & TAIL_LENGTH_MASK)
  const name = bytes.toString('latin1', start, end).replace(/\0.*$/s, '')
  return (descriptor & TAIL_FAILED) !== 0 || name === '' ? undefined : name
}

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

/** What was written, of all records that make one event: an event ends where bytes are missing, and where it is long. */
function gatherWrites(group: RecordGroup) {
  const pieces: Buffer[] = []
  let keptBytes = 0
  let writtenBytes = 0
  let missingBytes = 0
  let lastNs = 0n
  do {
    const w = group.offsetBytes >> 2
    const { words } = group
    const write = writeAt(group, w)
    const isLong = keptBytes + write.bytes.length > MOST_JOINED_BYTES
    if (pieces.length > 0 && (isLong || missingBytes > 0)) {
      group.leaveRest()
      break
    }
    pieces.push(Buffer.from(write.bytes))
    keptBytes += write.bytes.length
    writtenBytes += write.writtenBytes
    missingBytes += write.missingBytes
    lastNs = u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number)
  } while (group.next())
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
  return { bytes, writtenBytes, missingBytes, writes: pieces.length, lastNs }
}

/** The bytes without secrets. */
function shownOf(bytes: Buffer, { redaction }: Tables): Buffer {
  if (redaction === undefined) return bytes
  const text = latin1Of(bytes, 0, bytes.length)
  const shown = redaction.terminalBytes(text)
  return shown === text ? bytes : Buffer.from(shown, 'latin1')
}

/** A process wrote to a terminal. */
export function applyTty(group: RecordGroup, tables: Tables): Made<TtyEvent> | undefined {
  if (!group.next()) return undefined
  const { words } = group
  const w = group.offsetBytes >> 2
  const timeLo = words[w + TIME_LO] as number
  const timeHi = words[w + TIME_HI] as number
  const pid = words[w + PID] as number
  const ttyMajor = words[w + MAJOR] as number
  const ttyMinor = words[w + MINOR] as number
  const begun = {
    kind: 'tty' as const,
    timeNs: u64Of(timeLo, timeHi) + tables.timeBase.bootEpochNs,
    origin: ORIGINS[words[w + ORIGIN] as number] ?? 'output',
    pid,
    terminal: ttyNameOf(ttyMajor, ttyMinor),
    ttyMajor,
    ttyMinor,
    devpts: known(words[w + DEVPTS] as number),
    driver: driverAt(group, w),
    columns: known(words[w + COLUMNS] as number),
    rows: known(words[w + ROWS] as number),
    inputFlags: words[w + INPUT] as number,
    outputFlags: words[w + OUTPUT] as number,
    controlFlags: words[w + CONTROL] as number,
    localFlags: words[w + LOCAL] as number,
  }
  const { bytes: written, writtenBytes, missingBytes, writes, lastNs } = gatherWrites(group)
  const isNothing = written.length === 0
  const bytes = shownOf(written, tables)
  return {
    ...begun,
    text: isNothing ? undefined : bytes.toString('utf8'),
    data: isNothing || isUtf8(bytes) ? undefined : new Uint8Array(bytes),
    writtenBytes,
    missingBytes,
    writes,
    spanNs: lastNs - u64Of(timeLo, timeHi),
    process: tables.processes.lookup(pid)?.at(timeLo | 0, timeHi | 0),
  }
}
