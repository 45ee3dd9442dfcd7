import type { SourceClock, Walk } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { OLDER_EXECUTABLES } from './facts.js'
import type { ExecutableSettings } from './options.js'

/** Of more processes it is not said at the start what they execute. */
const MOST_PROCESSES = 65_536

/** A record for each process that there is, as its exec would have made it. */
export function* scanExecutables(
  { settings }: Surroundings<ExecutableSettings>,
  _clock: SourceClock,
  walk: Walk,
): Iterable<Uint8Array> {
  if (!settings.executables && !settings.packages) return
  const found: Uint8Array[] = []
  walk(OLDER_EXECUTABLES, {
    record: (_words, bytes, offset, length) => {
      if (found.length >= MOST_PROCESSES) return
      // Records are read as words: its memory is some of these.
      const own = new Uint8Array((length + 3) & ~3).subarray(0, length)
      own.set(bytes.subarray(offset, offset + length))
      found.push(own)
    },
  })
  yield* found
}
