/**
 * The stack of a program, from R10 down: what loads and tails use, the key of a map call, and the temporaries of the
 * condition.
 */

import { FREE_TEMPORARY } from './scratch.js'

/** A value on its way through probe_read_kernel; below it are the slots that tails use. */
export const VALUE_SLOT = -72
/** Bytes of a packet on their way to a temporary. */
export const PACKET_SLOT = -8
/** What lies above the key. */
const ABOVE_KEY = -96

/** Temporaries of a condition: values are fetched again where more are needed. */
export const CONDITION_TEMPORARIES = 24

/** Largest key of a map: what the stack has room for. */
export const MAX_KEY_BYTES = 64

/** Offset of the key of a map call from R10. */
export function keySlot(keyBytes: number): number {
  return ABOVE_KEY - Math.ceil(keyBytes / 8) * 8
}

/** What R9 is to R10 while a condition is evaluated: its temporaries lie below all other slots of the stack. */
export function conditionFrame(keyBytes: number): number {
  return keySlot(keyBytes) - CONDITION_TEMPORARIES * 8 - FREE_TEMPORARY
}

/** Where the context waits in programs that need it at their end: below all of that. */
export function contextSlot(keyBytes: number): number {
  return conditionFrame(keyBytes) + FREE_TEMPORARY - 8
}
