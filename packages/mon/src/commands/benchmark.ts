import { monotonicMs } from '../clock.js'
import type { Quark } from 'quark-telemetry'
import { type Batches, batchesOf } from '../batches.js'
import type { Io } from '../io.js'
import { statsText } from '../report.js'
import type { Settings } from '../settings.js'
import { Turns, untakenText } from './turns.js'

const PERIOD_MS = 1000

/**
 * Takes events without writing them, and writes the counters at most once a second, while events come.
 *
 * @param now a clock, in ms
 */
export async function benchmark(
  quark: Batches & Pick<Quark, 'stats' | 'isRead' | 'close'>,
  settings: Settings,
  io: Io,
  now: () => number = monotonicMs,
): Promise<void> {
  let left = settings.count ?? Infinity
  let writtenMs = now()
  using turns = new Turns(io.hurry)
  turns.limit(() => void quark.close())
  for await (const batch of batchesOf(quark, io)) {
    left -= batch.length
    const nowMs = now()
    io.count?.(batch)
    if (batch.length > 0 && nowMs - writtenMs >= PERIOD_MS) {
      writtenMs = nowMs
      io.note(statsText(quark.stats()))
    }
    if (left <= 0) return
    if (turns.isTimeUp() && quark.stats().buffered > 0) break
  }
  if (turns.isTimeUp()) io.lose(untakenText(0, quark.stats().buffered, quark.isRead, 'counted'))
}
