import type { Quark, QuarkEvent } from 'quark-telemetry'
import { formatter, type Lookup } from '../format.js'
import type { Io } from '../io.js'
import type { Settings } from '../settings.js'

/** Writes every event that is wanted until the run ends. */
export async function watch(
  quark: Lookup & Pick<Quark, 'batches'>,
  settings: Settings,
  io: Io,
): Promise<void> {
  const format = formatter(settings, quark, io.colour)
  let left = settings.count ?? Infinity
  for await (const batch of quark.batches()) {
    let text = ''
    for (const event of batch) {
      if (left === 0) break
      if (!isWanted(event, settings.ppid)) continue
      text += format(event)
      left -= 1
    }
    if (text !== '') await io.write(text)
    if (left === 0) return
  }
}

/** An event without a known parent is wanted: nothing says that it is not a child. */
function isWanted({ process }: QuarkEvent, ppid: number | undefined): boolean {
  return ppid === undefined || process?.ppid === undefined || process.ppid === ppid
}
