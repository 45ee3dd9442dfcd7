/** The events that are made of what is said of containers; event-specs.ts explains their members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Container, Pod } from '../../process/process.js'

/** A container or a pod became known, or something else is known of it now: events from now on have it. */
export interface ContainerEvent extends BaseEvent, Forms<ContainerEvent> {
  readonly kind: 'container'
  /** Epoch ns at which it was learnt. */
  readonly timeNs: bigint
  readonly action: ContainerAction
  /** Undefined for an event about a pod alone. */
  readonly container: Container | undefined
  readonly pod: Pod | undefined
  /** A user of the container: the id that the machine has for it, and its name there. */
  readonly uid?: number | undefined
  readonly user?: string | undefined
  /** The same of a group. */
  readonly gid?: number | undefined
  readonly group?: string | undefined
  readonly process: undefined
  readonly relatives?: undefined
}

/** What became of it: more is known, or Kubernetes has no such pod any more. */
export type ContainerAction = 'known' | 'gone'

/** A runtime or Kubernetes cannot be asked: names are missing until it can again. */
export interface ContainerProblemEvent extends BaseEvent, Forms<ContainerProblemEvent> {
  readonly kind: 'containerProblem'
  /** Epoch ns. */
  readonly timeNs: bigint
  /** Which, where, and why. */
  readonly problem: string
  readonly process: undefined
  readonly relatives?: undefined
}
