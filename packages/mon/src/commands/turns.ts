/** How often signals and timers get a turn, however many events there are. */
const TURN_MS = 10
/** How long held events are still taken after the run was ended. */
const LAST_MS = 100

/** Lets signals and timers run between writes, and limits the time after the end of a run. */
export class Turns {
  readonly #signal: AbortSignal
  #endsMs = 0
  #abortedMs: number | undefined
  readonly #onAbort = (): void => void (this.#abortedMs = performance.now())

  constructor(signal: AbortSignal) {
    this.#signal = signal
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort)
  }

  /** Stops looking at the signal. */
  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  /** Begins a turn. */
  begin(): void {
    this.#endsMs = performance.now() + TURN_MS
  }

  /** Whether others must run before more is done. */
  isOver(): boolean {
    return performance.now() >= this.#endsMs
  }

  /** Lets others run, and begins the next turn. */
  async next(): Promise<void> {
    await nextTurn()
    this.begin()
  }

  /** Whether the time that is left for held events after the end of the run is over. */
  isTimeUp(): boolean {
    return this.#abortedMs !== undefined && performance.now() - this.#abortedMs >= LAST_MS
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** One line about what the time after the end of the run was too short for. An event is made of one record or more. */
export function untakenText(events: number, records: number): string {
  const parts = [`${events} events`, `${records} records`].filter((part) => !part.startsWith('0 '))
  return `quark-mon: ${parts.join(' and ')} that were held at the end are not written\n`
}

