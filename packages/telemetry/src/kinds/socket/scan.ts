import type { SourceClock, Walk } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { finderOf, findSockets } from './found-files.js'
import { OPEN_SOCKETS } from './facts.js'
import type { SocketSettings } from './options.js'

/** A record for each socket that a process has, as many as the table takes. */
export function* scanSockets(
  { settings }: Surroundings<SocketSettings>,
  clock: SourceClock,
  walk: Walk,
): Iterable<Uint8Array> {
  if (!settings.sockets) return
  const finder = finderOf(settings)
  if (finder !== undefined) {
    yield* findSockets(finder, settings.maxSockets, BigInt(clock.bootNowNs()))
    return
  }
  const found: Uint8Array[] = []
  walk(OPEN_SOCKETS, {
    record: (_words, bytes, offset, length) => {
      if (found.length < settings.maxSockets)
        found.push(Uint8Array.from(bytes.subarray(offset, offset + length)))
    },
  })
  yield* found
}
