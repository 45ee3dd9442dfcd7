/** Facts about names that are looked up, and their rungs. */

import { kernelAtLeast } from 'quark-ebpf'
import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { dnsProbes } from './kernel.js'
import { DNS_PORTS, type DnsSettings } from './options.js'

/** The fact of messages that are sent and received. */
export const DNS_MESSAGES = 'dnsMessages'

const ONLY_SENT: Lack = {
  what: `${DNS_MESSAGES}.received`,
  reason: 'packets are seen when they are sent: answers of other machines, and what those ask, are not',
}

const ONLY_DATAGRAMS: Lack = {
  what: `${DNS_MESSAGES}.tcp`,
  reason: 'only datagrams are read on their way to a device: messages over TCP are not seen',
}

/** Before, programs of cgroups cannot see whether a task or a softirq sends. */
const NO_TCP_SERVER: Lack = {
  what: `${DNS_MESSAGES}.tcpServer`,
  reason: 'who answers over TCP is known since Linux 6.2',
}

export function dnsFacts({ settings }: Surroundings<DnsSettings>): Fact[] {
  if (!settings.dns) return []
  const { dnsPorts = [], maxDnsBytes } = settings
  const ports = dnsPorts.length === 0 ? DNS_PORTS : dnsPorts
  const { cgroup, queue } = dnsProbes({ ports, maxBytes: maxDnsBytes })
  const lacks = kernelAtLeast('6.2') ? [] : [NO_TCP_SERVER]
  return [
    {
      name: DNS_MESSAGES,
      required: false,
      rungs: [ebpf(cgroup, ...lacks), ebpf(queue, ONLY_SENT, ONLY_DATAGRAMS)],
    },
  ]
}

function ebpf(probes: EbpfRung['probes'], ...lacks: readonly Lack[]): EbpfRung {
  return { by: 'ebpf', probes, lacks }
}
