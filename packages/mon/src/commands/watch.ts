import type { Quark, QuarkEvent } from 'quark-telemetry'
import { type Formatter, formatter, type Lookup } from '../format.js'
import { type Batches, batchesOf } from '../batches.js'
import type { Io } from '../io.js'
import { truncatedText } from '../report.js'
import type { Settings } from '../settings.js'
import { isHidden } from '../text.js'
import { Turns, untakenText } from './turns.js'

/**
 * Writes every wanted event until the run ends; then held events, for a moment.
 *
 * @param take gets each of them, too
 */
export async function watch(
  quark: Lookup & Taken,
  settings: Settings,
  io: Io,
  take?: (event: QuarkEvent) => void,
): Promise<void> {
  const { format, truncatedLines, ends } = formatter(settings, quark, io.colour, io.terminal)
  try {
    if (ends !== undefined) await io.begin(ends.start, ends.further)
    await writeAll(quark, format, settings, io, take)
    if (ends !== undefined) await io.write(ends.end())
  } finally {
    io.lose(truncatedText(truncatedLines(), settings.lines))
  }
}

function untakenOf(quark: Taken, events: number): string {
  return untakenText(events, quark.stats().buffered, quark.isRead, 'written')
}

/** What events are taken from, and what says how many are left. */
type Taken = Batches & Pick<Quark, 'stats' | 'isRead' | 'close'>

async function writeAll(
  quark: Taken,
  format: Formatter['format'],
  settings: Settings,
  io: Io,
  take: (event: QuarkEvent) => void = () => {},
): Promise<void> {
  let left = settings.count ?? Infinity
  using turns = new Turns(io.hurry)
  turns.limit(() => void quark.close())
  for await (const batch of batchesOf(quark, io)) {
    turns.begin()
    io.count?.(batch)
    let text = ''
    for (const [index, event] of batch.entries()) {
      if (left === 0) break
      take(event)
      if (isHidden(event, settings)) continue
      text += format(event)
      left -= 1
      if (text.length < io.pieceChars && !turns.isOver()) continue
      await io.write(text)
      text = ''
      await turns.next()
      if (turns.isTimeUp() && index + 1 < batch.length) {
        io.lose(untakenOf(quark, batch.length - index - 1), settings.quiet)
        return
      }
    }
    if (text !== '') await io.write(text)
    if (left === 0) return
    if (turns.isTimeUp() && quark.stats().buffered > 0) break
  }
  if (turns.isTimeUp()) io.lose(untakenOf(quark, 0), settings.quiet)
}
