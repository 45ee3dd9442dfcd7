/** The event of a module that is loaded or unloaded. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { TAINTS } from './taints.js'

/** A module came into the kernel, or went. */
export interface ModuleEvent extends BaseEvent, Forms<ModuleEvent> {
  readonly kind: 'module'
  readonly action: 'load' | 'unload'
  /** Of the process that loads or unloads it. */
  readonly pid: number
  readonly name: string
  /** Undefined if it declares none; only of a load. */
  readonly version: string | undefined
  readonly srcVersion: string | undefined
  /** What it makes the kernel; undefined when it is not known, and of an unload. */
  readonly taints: readonly (typeof TAINTS)[number][] | undefined
  /** Where it was read from; undefined of init_module(2), which gets its bytes. */
  readonly file: string | undefined
  /** It goes since its initialisation failed. */
  readonly initFailed: boolean
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
