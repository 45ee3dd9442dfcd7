import { ticksOf } from '../event/time-base.js'
import { KNOWN_START, KNOWN_START_TICKS, type ProcessRecord } from './entry.js'
import type { ProcessTable } from './table.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

/**
 * The process with a pid and a start, as it was at the time of a record; undefined if the pid is another one's by now.
 *
 * @param w the word at which the record begins
 * @param start the word at which the start of the process is; a start of 0 agrees with anything
 */
export function processAt(
  words: Uint32Array,
  w: number,
  pid: number | undefined,
  start: number,
  { processes }: { readonly processes: ProcessTable },
): ProcessRecord | undefined {
  if (pid === undefined) return undefined
  const found = processes.peek(pid)
  if (found === undefined || !isStart(found, words[start] as number, words[start + 1] as number))
    return undefined
  const process = processes.lookup(pid)
  return process?.at((words[w + TIME_LO] as number) | 0, (words[w + TIME_HI] as number) | 0)
}

/** Whether a process may have begun at a time; what is not known agrees with anything. */
function isStart({ known, startLo, startHi }: ProcessRecord, lo: number, hi: number): boolean {
  if ((known & KNOWN_START) === 0 || (lo === 0 && hi === 0)) return true
  if ((known & KNOWN_START_TICKS) !== 0) return ticksOf(startLo, startHi) === ticksOf(lo, hi)
  return startLo >>> 0 === lo && startHi >>> 0 === hi
}

/** Which process has a pid now, and whose it is, as far as that is known. */
export function userAt(
  pid: number,
  { processes }: { readonly processes: ProcessTable },
): { pid: number; startTicks: number | undefined; uid: number | undefined } {
  const found = processes.peek(pid)
  const hasStart = found !== undefined && (found.known & KNOWN_START) !== 0
  return { pid, startTicks: hasStart ? found.startTicks : undefined, uid: found?.uid }
}
