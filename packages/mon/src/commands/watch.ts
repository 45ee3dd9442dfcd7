import type { Quark, QuarkEvent } from 'quark-telemetry'
import { formatter, type Lookup } from '../format.js'
import type { Io } from '../io.js'
import type { Settings } from '../settings.js'

/** Text is handed over in pieces of about this size: a batch may make more of it than memory has room for. */
const PIECE_CHARS = 64 << 10
/** How often signals and timers get a turn, however many events there are. */
const TURN_MS = 20
/** How long events that were held are still written once the run is to end. */
const LAST_MS = 100

/** Writes every event that is wanted until the run ends; of what was held then, as much as there is time for. */
export async function watch(
  quark: Lookup & Pick<Quark, 'batches'>,
  settings: Settings,
  io: Io,
): Promise<void> {
  const format = formatter(settings, quark, io.colour)
  let left = settings.count ?? Infinity
  const turns = new Turns(io.signal)
  for await (const batch of quark.batches()) {
    let text = ''
    for (const [index, event] of batch.entries()) {
      if (left === 0) break
      if (!isWanted(event, settings.ppid)) continue
      text += format(event)
      left -= 1
      if (text.length < PIECE_CHARS && !turns.isOver()) continue
      await io.write(text)
      text = ''
      await turns.next()
      if (turns.isTimeUp() && index + 1 < batch.length) {
        io.note(`quark-mon: ${batch.length - index - 1} events that were held at the end are not written\n`)
        return
      }
    }
    if (text !== '') await io.write(text)
    if (left === 0) return
    turns.begin()
  }
}

/** Gives the rest of the process its turns, and an ending run its time. */
class Turns {
  readonly #signal: AbortSignal
  #endsMs = 0
  #lastMs: number | undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.begin()
  }

  begin(): void {
    this.#endsMs = performance.now() + TURN_MS
  }

  isOver(): boolean {
    return performance.now() >= this.#endsMs
  }

  async next(): Promise<void> {
    await nextTurn()
    this.begin()
  }

  /** Whether the run was to end some time ago. */
  isTimeUp(): boolean {
    if (!this.#signal.aborted) return false
    const nowMs = performance.now()
    this.#lastMs ??= nowMs + LAST_MS
    return nowMs >= this.#lastMs
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** An event without a known parent is wanted: nothing says that it is not a child. */
function isWanted({ process }: QuarkEvent, ppid: number | undefined): boolean {
  return ppid === undefined || process?.ppid === undefined || process.ppid === ppid
}
