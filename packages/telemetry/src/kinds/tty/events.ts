/** The events that are made of records of terminals; event-specs.ts explains their members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** How what a terminal shows came to it: a program wrote it, or it was typed and the terminal echoes it. */
export const ORIGINS = ['output', 'typed'] as const

/** A process wrote to a terminal, once or several times in a short time. */
export interface TtyEvent extends BaseEvent, Forms<TtyEvent> {
  readonly kind: 'tty'
  /** Epoch ns of the first write. */
  readonly timeNs: bigint
  readonly origin: (typeof ORIGINS)[number]
  /** Of the process that wrote. */
  readonly pid: number
  readonly terminal: string | undefined
  readonly ttyMajor: number
  readonly ttyMinor: number
  readonly devpts: number | undefined
  readonly driver: string | undefined
  /** Undefined when the terminal does not know its size. */
  readonly columns: number | undefined
  readonly rows: number | undefined
  /** What was written; what is no UTF-8 is replaced by U+FFFD. Undefined when it could not be read. */
  readonly text: string | undefined
  /** The bytes, if they are not those of `text`. */
  readonly data: Uint8Array | undefined
  readonly writtenBytes: number
  /** How many of them are not there. */
  readonly missingBytes: number
  /** How many calls wrote it. */
  readonly writes: number
  /** From the first write to the last. */
  readonly spanNs: bigint
  readonly inputFlags: number
  readonly outputFlags: number
  readonly controlFlags: number
  readonly localFlags: number
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
