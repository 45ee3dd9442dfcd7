import type { SourceClock, Walk } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { OPEN_SOCKETS } from './facts.js'
import type { SocketSettings } from './options.js'

/** The programs that walk through all sockets note in their map who has each: there are no records of it. */
export function scanSockets(
  { settings }: Surroundings<SocketSettings>,
  _clock: SourceClock,
  walk: Walk,
): Iterable<Uint8Array> {
  if (settings.sockets) walk(OPEN_SOCKETS, { record: () => undefined })
  return []
}
