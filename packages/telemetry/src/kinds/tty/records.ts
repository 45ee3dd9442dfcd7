/** What is known of a write to a terminal. */

import { bytesTail, record, stringTail, u32, u64 } from 'quark-ebpf/probe'

/** High byte of the types of records of terminals. */
export const TTY_KIND = 9

/** Most bytes of one write that a record has. */
export const MAX_TTY_BYTES = 16_384

const MAX_DRIVER_BYTES = 32

/** Of `origin`: a process wrote to the terminal, or to the other side of it what the terminal shows as typed. */
export const ORIGIN_OUTPUT = 0
export const ORIGIN_TYPED = 1

/**
 * Something was written to a terminal. All of it is about the side at which programs run, the slave of a pseudo-terminal,
 * also when the master was written to.
 */
export const ttyLayout = record((TTY_KIND << 8) | 1, 'ttyWrite', {
  /** Who wrote. */
  pid: u32,
  ttyMajor: u32,
  ttyMinor: u32,
  /** Device of the devpts that the terminal is in: containers have their own, with the same numbers. 0 for none. */
  devpts: u32,
  origin: u32,
  columns: u32,
  rows: u32,
  inputFlags: u32,
  outputFlags: u32,
  controlFlags: u32,
  localFlags: u32,
  /** What the call was given; of a `data` that is not cut it is the length, unless secrets were taken out. */
  givenBytes: u64,
  /** What the call returned: `data` may have more, or less. */
  writtenBytes: u64,
  /** Name of the driver, as /proc/tty/drivers has it. */
  driver: stringTail(MAX_DRIVER_BYTES),
  data: bytesTail(MAX_TTY_BYTES),
})
