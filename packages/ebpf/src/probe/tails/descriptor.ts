/** The 32-bit descriptor of a tail: its length in the low 24 bits, flags above. */

/** Part of a tail's descriptor that holds its length. */
export const TAIL_LENGTH_MASK = 0xffffff
/** The tail was cut at its limit. */
export const TAIL_TRUNCATED = 1 << 24
/** The memory could not be read; the tail is empty. */
export const TAIL_FAILED = 1 << 25
/** Path: the file has no place in any directory (memfd, pipe, detached): the only component is its name. */
export const TAIL_PSEUDO = 1 << 26
/** Path: the file was unlinked when the record was written. */
export const TAIL_DELETED = 1 << 27

/** Largest tail of any kind: its length must fit the descriptor, its end the scratch of one CPU. */
export const MAX_TAIL_BYTES = 4 << 20
