import type { BaseEvent } from '../event/event.js'

interface Found {
  readonly event: BaseEvent
  /** On the clock of the buffer. */
  readonly timeNs: number
}

/** Events of a scan, which are applied at once and delivered in order of time with those of records. */
export class FoundEvents {
  #waiting: Found[] = []
  #at = 0

  /** When the next one is to be delivered, on the clock of the buffer; Infinity for never. */
  get nextNs(): number {
    return this.#waiting[this.#at]?.timeNs ?? Number.POSITIVE_INFINITY
  }

  get isEmpty(): boolean {
    return this.#at === this.#waiting.length
  }

  /** Adds one that is not older than others. */
  add(event: BaseEvent, timeNs: number): void {
    this.#waiting.push({ event, timeNs })
  }

  /** Those that wait. */
  waiting(): readonly Found[] {
    return this.#waiting.slice(this.#at)
  }

  take(): BaseEvent {
    const { event } = this.#waiting[this.#at] as Found
    this.#at += 1
    if (this.isEmpty) {
      this.#waiting = []
      this.#at = 0
    }
    return event
  }
}
