/** The event of a call of getpid(2). */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** A process called getpid(2). */
export interface GetpidEvent extends BaseEvent, Forms<GetpidEvent> {
  readonly kind: 'getpid'
  readonly pid: number
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
