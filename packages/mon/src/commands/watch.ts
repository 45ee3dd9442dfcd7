import type { Quark, QuarkEvent } from 'quark-telemetry'
import { type Formatter, formatter, type Lookup } from '../format.js'
import type { Io } from '../io.js'
import { truncatedText } from '../report.js'
import type { Settings } from '../settings.js'

/** Text is written in pieces of about this size: that of a whole batch may not fit into memory. */
const PIECE_CHARS = 64 << 10
/** How often signals and timers get a turn, however many events there are. */
const TURN_MS = 20
/** How long held events are still written after the run was ended. */
const LAST_MS = 100

/** Writes every wanted event until the run ends; then held events, for at most `LAST_MS`. */
export async function watch(
  quark: Lookup & Pick<Quark, 'batches'>,
  settings: Settings,
  io: Io,
): Promise<void> {
  const { format, truncatedLines } = formatter(settings, quark, io.colour)
  try {
    await writeAll(quark, format, settings, io)
  } finally {
    if (!settings.quiet) io.note(truncatedText(truncatedLines(), settings.lines))
  }
}

async function writeAll(
  quark: Pick<Quark, 'batches'>,
  format: Formatter['format'],
  settings: Settings,
  io: Io,
): Promise<void> {
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

/** Lets signals and timers run between writes, and limits the time after the end of a run. */
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

  /** Whether the time after the end of the run is over. */
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

/** Children have a parent, or had it when they were made. An event whose parent is unknown is wanted: it may be a child. */
function isWanted({ process }: QuarkEvent, ppid: number | undefined): boolean {
  if (ppid === undefined || process?.ppid === undefined) return true
  return process.ppid === ppid || process.creatorPid === ppid
}
