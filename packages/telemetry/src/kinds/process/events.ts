import { u64Of } from '../../event/time-base.js'
import type { IdChange, ProcessAction, ProcessEvent } from '../../event/event.js'
import type { Process } from '../../process/process.js'

/** Bits of actions, in the order in which an event lists them. */
export const ACTION_FORK = 1
export const ACTION_EXEC = 2
export const ACTION_EXIT = 4
export const ACTION_ID_CHANGE = 8
export const ACTION_COMM_CHANGE = 16

const NAMES: readonly ProcessAction[] = ['fork', 'exec', 'exit', 'idChange', 'commChange']

/** The lists of actions by their bits: shared by all events. */
const LISTS: readonly (readonly ProcessAction[])[] = Array.from({ length: 1 << NAMES.length }, (_, bits) =>
  Object.freeze(NAMES.filter((_name, bit) => (bits & (1 << bit)) !== 0)),
)

/** A process event; its time is computed when it is asked for. */
export class ProcessChange implements ProcessEvent {
  readonly kind = 'process'
  readonly actions: readonly ProcessAction[]
  readonly process: Process
  readonly idChange: IdChange | undefined
  readonly #timeLo: number
  readonly #timeHi: number
  readonly #bootEpochNs: bigint

  /** `timeLo` and `timeHi` are the halves of a time on CLOCK_BOOTTIME in ns. */
  constructor(
    actions: number,
    process: Process,
    idChange: IdChange | undefined,
    timeLo: number,
    timeHi: number,
    bootEpochNs: bigint,
  ) {
    this.actions = LISTS[actions] as readonly ProcessAction[]
    this.process = process
    this.idChange = idChange
    this.#timeLo = timeLo
    this.#timeHi = timeHi
    this.#bootEpochNs = bootEpochNs
  }

  get timeNs(): bigint {
    return u64Of(this.#timeLo, this.#timeHi) + this.#bootEpochNs
  }
}
