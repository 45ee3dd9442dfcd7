import { kernelAtLeast } from 'quark-ebpf'
import type { Fact } from '../../facts/fact.js'
import type { Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { receivedProbes, sentProbes } from './kernel.js'
import { TLS_PORTS, type TlsSettings } from './options.js'

/** The fact of what clients of this machine say first. */
export const TLS_HELLOS = 'tlsHellos'
/** The fact of what clients say first to servers of this machine. */
export const TLS_RECEIVED = 'tlsReceived'

/** Before, programs of cgroups cannot see whether a task or a softirq sends, nor what a socket does. */
const NO_SERVER: Lack = {
  what: `${TLS_RECEIVED}.pid`,
  reason:
    'which server of this machine answers is known since Linux 6.2, and so are connections that it takes with their first data (TCP_DEFER_ACCEPT)',
}

export function tlsFacts({ settings: { tls, tlsPorts = [] } }: Surroundings<TlsSettings>): Fact[] {
  if (!tls) return []
  const ports = tlsPorts.length === 0 ? TLS_PORTS : tlsPorts
  return [
    { name: TLS_HELLOS, required: false, rungs: [{ by: 'ebpf', probes: sentProbes(ports) }] },
    {
      name: TLS_RECEIVED,
      required: false,
      rungs: [{ by: 'ebpf', probes: receivedProbes(ports), lacks: kernelAtLeast('6.2') ? [] : [NO_SERVER] }],
    },
  ]
}
