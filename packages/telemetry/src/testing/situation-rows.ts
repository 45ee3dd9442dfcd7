/** Rows of the tables of situations, by kernel and sort of rungs: programs of tests write them, scripts/situations.mjs reads them. */

import { release } from 'node:os'

/** How what was seen of a situation compares with what happened. */
export interface Verdict {
  readonly verdict: 'right' | 'less' | 'wrong'
  /** What is not said, or is wrong. */
  readonly notes: readonly string[]
}

/** Where in the tables something is. */
interface Place {
  /** Each group has a table of its own; without one there is one table. */
  readonly group?: string
  readonly rung: string
}

/** One cell of a table. */
export interface Row extends Verdict, Place {
  readonly situation: string
}

/** A sort of rungs that the kernel does not have. */
export interface Absent extends Place {
  readonly absent: string
}

/** Writes a row for the script. */
export function writeRow(row: Row | Absent): void {
  console.log(`@@row ${JSON.stringify({ kernel: release(), ...row })}`)
}
