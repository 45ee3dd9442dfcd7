/** What is noted of a process in the set of tracked processes: a bit for each purpose. */

/** It belongs to a tree that is followed. Children inherit it. */
export const FOLLOWED = 1
/** A relative of such a tree: it is known, so that the tree's parents have names. Children do not inherit it. */
export const KEPT = 2
/** It belongs to a tree that is left out. Children inherit it. */
export const EXCLUDED = 4

/** Rules drop all of its events, and all of its descendants. Children inherit it. The table does not note it. */
export const LEFT_OUT = 8

/** What a child has from the process that made it. */
export const INHERITED = FOLLOWED | EXCLUDED | LEFT_OUT

/** Which exclusion it was is noted beside the bits: from 1 to this. */
export const MAX_EXCLUSION = 4095
const EXCLUSION_SHIFT = 2
const OF_MARKS = FOLLOWED | KEPT

/** Bits and exclusion in one number of 14 bits, as the table of processes has them: its marks. */
export function marksOf(flags: number, exclusion: number): number {
  return (flags & OF_MARKS) | ((flags & EXCLUDED) === 0 ? 0 : exclusion << EXCLUSION_SHIFT)
}

/** The marks of a child of a process with these. */
export function inheritedMarks(marks: number): number {
  return marks & ~KEPT
}

/** The number of the exclusion that a process belongs to; 0 for none. */
export function exclusionOf(marks: number): number {
  return marks >> EXCLUSION_SHIFT
}

/** The same marks with another exclusion; 0 for none. */
export function withExclusion(marks: number, exclusion: number): number {
  return (marks & OF_MARKS) | (exclusion << EXCLUSION_SHIFT)
}
