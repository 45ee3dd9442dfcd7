import { writeFileSync } from 'node:fs'
import { bufferGraph, type Quark, type QuarkOptions } from 'quark-telemetry'
import type { Io } from '../io.js'

/** The files that the graphs go to, in the current directory. */
export const BUFFER_GRAPH_FILES = ['quark_by_time.dot', 'quark_by_pidtime.dot'] as const

/** Options under which `count` records are held for as long as it takes to get them. */
export function holdingOptions(count: number): QuarkOptions {
  // A buffer that is at most half full holds records for at least half of this hour.
  return {
    snapshot: false,
    holdMs: 3_600_000,
    releaseEarly: false,
    maxLength: count * 2 + 10,
    maxBufferBytes: 4 * 1024 ** 3,
  }
}

/**
 * Waits for `count` records and draws the buffer.
 *
 * @param files open descriptors, as in `BUFFER_GRAPH_FILES`
 */
export async function drawBuffer(
  quark: Pick<Quark, 'poll' | 'wait' | 'stats' | 'bufferedRecords'>,
  count: number,
  files: readonly number[],
  io: Io,
): Promise<void> {
  quark.poll()
  while (quark.stats().buffered < count && !io.signal.aborted) {
    await quark.wait()
    quark.poll()
  }
  const records = quark.bufferedRecords().slice(0, count)
  if (records.length < count)
    io.note(`quark-mon: drew ${records.length} records, as the run ended before ${count} came\n`)
  for (const [index, order] of (['time', 'pidTime'] as const).entries()) {
    const file = files[index]
    if (file !== undefined) writeFileSync(file, bufferGraph(records, order))
  }
}
