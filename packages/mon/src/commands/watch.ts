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
  quark: Lookup & Batches & Pick<Quark, 'stats'>,
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

async function writeAll(
  quark: Batches & Pick<Quark, 'stats'>,
  format: Formatter['format'],
  settings: Settings,
  io: Io,
  take: (event: QuarkEvent) => void = () => {},
): Promise<void> {
  let left = settings.count ?? Infinity
  using turns = new Turns(io.hurry)
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
        const text = untakenText(batch.length - index - 1, quark.stats().buffered, 'written')
        io.lose(text, settings.quiet)
        return
      }
    }
    if (text !== '') await io.write(text)
    if (left === 0) return
    const { buffered } = turns.isTimeUp() ? quark.stats() : { buffered: 0 }
    if (buffered > 0) {
      io.lose(untakenText(0, buffered, 'written'), settings.quiet)
      return
    }
  }
}
