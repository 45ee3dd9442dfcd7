import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { receivedProbes, sentProbes } from './kernel.js'
import { TLS_PORTS, type TlsSettings } from './options.js'

/** The fact of what clients of this machine say first. */
export const TLS_HELLOS = 'tlsHellos'
/** The fact of what clients say first to servers of this machine. */
export const TLS_RECEIVED = 'tlsReceived'

export function tlsFacts({ settings: { tls, tlsPorts = [] } }: Surroundings<TlsSettings>): Fact[] {
  if (!tls) return []
  const ports = tlsPorts.length === 0 ? TLS_PORTS : tlsPorts
  return [
    { name: TLS_HELLOS, required: false, rungs: [{ by: 'ebpf', probes: sentProbes(ports) }] },
    { name: TLS_RECEIVED, required: false, rungs: [{ by: 'ebpf', probes: receivedProbes(ports) }] },
  ]
}
