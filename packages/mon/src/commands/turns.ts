import { monotonicMs } from '../clock.js'

/** How often signals and timers get a turn, however many events there are. */
const TURN_MS = 10
/**
 * How long held events are still taken after a signal has ended the run. On a busy machine the time of the CPU counts, so that as
 * much is taken there, up to a limit.
 */
const LAST_CPU_MS = 50
const LAST_MS = 400
const LOOK_MS = 10

/** Lets signals and timers run between writes, and limits the time after the end of a run. */
export class Turns {
  readonly #signal: AbortSignal
  #endsMs = 0
  #abortedMs: number | undefined
  #abortedCpuMs = 0
  #look: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
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
    if (this.#look !== undefined) this.#signal.removeEventListener('abort', this.#look)
    clearInterval(this.#timer)
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

  /**
   * Calls `cut` when the time that is left is over, and no event came at which that would have been seen: reading what the
   * kernel has may take twice as long as writing what is held.
   */
  limit(cut: () => void): void {
    const look = (): void => {
      this.#timer = setInterval(() => {
        if (this.#isOver(2 * LAST_CPU_MS)) cut()
      }, LOOK_MS)
    }
    if (this.#signal.aborted) look()
    else this.#signal.addEventListener('abort', (this.#look = look))
  }

  /** Whether the time that is left for held events after the end of the run is over. */
  isTimeUp(): boolean {
    return this.#isOver(LAST_CPU_MS)
  }

  #isOver(mostCpuMs: number): boolean {
    if (this.#abortedMs === undefined) return false
    return cpuMs() - this.#abortedCpuMs >= mostCpuMs || monotonicMs() - this.#abortedMs >= LAST_MS
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
 * One line about what the time after the end of the run was too short for; nothing if it was not. An event is made of one
 * record or more.
 *
 * @param isRead all that the kernel had was read
 * @param done what was not done with them: written, counted
 */
export function untakenText(events: number, records: number, isRead: boolean, done: string): string {
  const held = [`${events} events`, `${records} records`]
    .filter((part) => !part.startsWith('0 '))
    .join(' and ')
  if (held === '') return isRead ? '' : `quark-mon: what was not read before the end is not ${done}\n`
  return `quark-mon: ${held} that were held at the end${isRead ? '' : ', and what was not read before,'} are not ${done}\n`
}
