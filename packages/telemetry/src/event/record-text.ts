/** Text in records. */

import { TAIL_FAILED, TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import { cstringAt, latin1Of } from '../memory/text.js'
import type { RecordPlace } from './raw.js'

/** A whole record as text, one character a byte: what a table keeps of it. */
export function textOf({ bytes, offsetBytes, lengthBytes }: RecordPlace): string {
  return latin1Of(bytes, offsetBytes, offsetBytes + lengthBytes)
}

/** A NUL-terminated string tail of a record's text; undefined when it could not be read. */
export function stringTail(text: string, start: number, descriptor: number): string | undefined {
  if ((descriptor & TAIL_FAILED) !== 0) return undefined
  return cstringAt(text, start, descriptor & TAIL_LENGTH_MASK)
}
