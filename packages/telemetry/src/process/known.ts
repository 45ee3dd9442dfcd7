/**
 * Bits of `known` in the records of a process: groups of fields that have values. A program sets those that BTF
 * resolved, a reader of /proc those that it found.
 */

export const HAS_PARENT = 1 << 0
export const HAS_SESSION = 1 << 1
export const HAS_IDS = 1 << 2
export const HAS_CAPS = 1 << 3
export const HAS_TTY = 1 << 4
export const HAS_NAMESPACES = 1 << 5
export const HAS_COMM = 1 << 6
/** Bit of an exit record: how the process ended is known. */
export const HAS_ENDING = 1 << 7
/** Bit of a snapshot: the start is exact, not cut to clock ticks. */
export const HAS_EXACT_START = 1 << 8
/** Everything that an identity can have. */
export const HAS_IDENTITY = (1 << 7) - 1
