/** The event of a BPF program that is loaded or attached. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { COMMANDS } from './names.js'

export type BpfCommand = (typeof COMMANDS)[keyof typeof COMMANDS]

/** Another process than that of the queue loaded, attached or detached a BPF program, or tried to. */
export interface BpfEvent extends BaseEvent, Forms<BpfEvent> {
  readonly kind: 'bpf'
  readonly command: BpfCommand
  readonly pid: number
  readonly programType: string | undefined
  readonly attachType: string | undefined
  readonly programId: number | undefined
  /** Of the program; of one that was refused, as the caller passed it. */
  readonly name: string | undefined
  /** Of the program, as the kernel has it. */
  readonly instructions: number | undefined
  readonly linkId: number | undefined
  readonly linkType: string | undefined
  /** Positive errno, if it failed. */
  readonly errno: number | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
