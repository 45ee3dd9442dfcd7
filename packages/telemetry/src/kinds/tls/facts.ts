import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { tlsProbes } from './kernel.js'
import { TLS_PORTS, type TlsSettings } from './options.js'

/** The fact of what clients say first. */
export const TLS_HELLOS = 'tlsHellos'

export function tlsFacts({ settings: { tls, tlsPorts = [] } }: Surroundings<TlsSettings>): Fact[] {
  if (!tls) return []
  const ports = tlsPorts.length === 0 ? TLS_PORTS : tlsPorts
  return [{ name: TLS_HELLOS, required: false, rungs: [{ by: 'ebpf', probes: tlsProbes(ports) }] }]
}
