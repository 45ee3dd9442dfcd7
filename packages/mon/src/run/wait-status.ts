/** Statuses of wait(2). */

/** How a process ended. */
export interface Ending {
  /** Its exit status; null when a signal ended it. */
  readonly code: number | null
  /** Number of the signal that ended it; null when none did. */
  readonly signal: number | null
}

const STOPPED = 0x7f
const SIGNAL_MASK = 0x7f

/** The signal that has stopped a process; undefined for one that has ended. */
export function stopSignalOf(status: number): number | undefined {
  return (status & 0xff) === STOPPED ? (status >>> 8) & 0xff : undefined
}

/** How the process of a status ended. */
export function endingOf(status: number): Ending {
  const signal = status & SIGNAL_MASK
  return signal === 0 ? { code: (status >>> 8) & 0xff, signal: null } : { code: null, signal }
}
