import { monotonicMs } from '../clock.js'

/** How often signals and timers get a turn, however many events there are. */
const TURN_MS = 10
/**
 * How long held events are still taken after a signal has ended the run. On a busy machine the time of the CPU counts, so that as
 * much is taken there, up to a limit.
 */
const LAST_CPU_MS = 50
const LAST_MS = 400

/** Lets signals and timers run between writes, and limits the time after the end of a run. */
export class Turns {
  readonly #signal: AbortSignal
  #endsMs = 0
  #abortedMs: number | undefined
  #abortedCpuMs = 0
  readonly #onAbort = (): void => {
    this.#abortedMs = monotonicMs()
    this.#abortedCpuMs = cpuMs()
  }

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
    this.#endsMs = monotonicMs() + TURN_MS
  }

  /** Whether others must run before more is done. */
  isOver(): boolean {
    return monotonicMs() >= this.#endsMs
  }

  /** Lets others run, and begins the next turn. */
  async next(): Promise<void> {
    await nextTurn()
    this.begin()
  }

  /** Whether the time that is left for held events after the end of the run is over. */
  isTimeUp(): boolean {
    if (this.#abortedMs === undefined) return false
    return cpuMs() - this.#abortedCpuMs >= LAST_CPU_MS || monotonicMs() - this.#abortedMs >= LAST_MS
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * One line about what the time after the end of the run was too short for. An event is made of one record or more.
 *
 * @param done what was not done with them: written, counted
 */
export function untakenText(events: number, records: number, done: string): string {
  const parts = [`${events} events`, `${records} records`].filter((part) => !part.startsWith('0 '))
  return `quark-mon: ${parts.join(' and ')} that were held at the end are not ${done}\n`
}
