/** Facts about sockets, and their rungs. */

import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { socketProbes } from './kernel.js'
import { socketMaps } from './maps.js'
import type { SocketSettings } from './options.js'

/** What accept(2) itself does is not seen. */
const LATE_ACCEPTS: Lack = {
  what: 'socketAccepts.at once',
  reason:
    'accept(2) without an address is seen when the process first reads, sends or closes; of a connection that is reset before, it is never known',
}

/**
 * The order is that of attaching: a socket whose opening was seen must not be closed unseen, and what failed is recorded
 * before the next attempt takes its place.
 */
export function socketFacts({ settings }: Surroundings<SocketSettings>): Fact[] {
  if (!settings.sockets) return []
  const { unreachable, closes, accepts, acceptsByReading, listeners, connections } = socketProbes(
    socketMaps(settings.maxSockets),
  )
  return [
    fact('socketUnreachable', { by: 'ebpf', probes: unreachable }),
    fact('socketCloses', { by: 'ebpf', probes: closes }),
    fact(
      'socketAccepts',
      { by: 'ebpf', probes: accepts, lacks: [LATE_ACCEPTS] },
      { by: 'ebpf', probes: acceptsByReading, lacks: [LATE_ACCEPTS] },
    ),
    fact('socketListeners', { by: 'ebpf', probes: listeners }),
    fact('socketConnections', { by: 'ebpf', probes: connections }),
  ]
}

function fact(name: string, ...rungs: EbpfRung[]): Fact {
  return { name, required: false, rungs }
}
