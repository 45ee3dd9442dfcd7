/** Facts about sockets, and their rungs. */

import { kernelAtLeast } from 'quark-ebpf'
import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack, SourceRung } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { socketProbes } from './kernel.js'
import { ADDRESSES, COOKIES } from './keys.js'
import { socketMaps } from './maps.js'
import type { SocketSettings } from './options.js'
import { PENDING, tcpCounters } from './tcp-counters.js'

/** The fact of sockets that are older than the queue. */
export const OPEN_SOCKETS = 'openSockets'

/** What accept(2) itself does is not seen. */
const LATE_ACCEPTS: Lack = {
  what: 'socketAccepts.at once',
  reason:
    'accept(2) without an address is seen when the process first reads, sends or closes; of a connection that is reset before, it is never known',
}

const BY_READING: Lack = {
  what: 'socketAccepts.at once',
  reason:
    'accept(2) is seen when the process first reads or closes; of a connection that is reset before, it is never known',
}

const LATE_FAILURES: Lack = {
  what: 'socketUnreachable.errno',
  reason:
    'connect(2) to an address that cannot be reached is seen when the socket is used again or closed, without the error',
}

/**
 * The order is that of attaching: a socket whose opening was seen must not be closed unseen, and what failed is recorded
 * before the next attempt takes its place.
 */
export function socketFacts({ settings, isTracked = false }: Surroundings<SocketSettings>): Fact[] {
  if (!settings.sockets) return []
  const keys = kernelAtLeast('5.12') ? COOKIES : ADDRESSES
  const { unreachable, closes, accepts, listeners, connections, open, pending } = socketProbes(
    socketMaps(settings.maxSockets, keys),
  )
  const fact = (name: string, ...rungs: (EbpfRung | SourceRung)[]): Fact => {
    return { name, required: false, rungs: keys.isForAll ? rungs : rungs.filter(canUseAddresses) }
  }
  return [
    fact(
      'socketUnreachable',
      ebpf(unreachable.functions),
      ebpf(unreachable.kprobes),
      ebpf(unreachable.cgroup, LATE_FAILURES),
    ),
    fact(
      'socketCloses',
      ebpf(closes.cgroup),
      ebpf(closes.functions),
      ebpf(closes.kprobes),
      ebpf(closes.states),
    ),
    fact(
      'socketAccepts',
      ebpf(accepts.functions),
      ebpf(accepts.kprobes),
      ebpf(accepts.sending, LATE_ACCEPTS),
      ebpf(accepts.cgroup, LATE_ACCEPTS),
      ebpf(accepts.reading, BY_READING),
    ),
    fact('socketListeners', ebpf(listeners)),
    fact(OPEN_SOCKETS, ...(keys.isForAll ? [ebpf(open.withCookies)] : []), ebpf(open.ofProcesses)),
    fact('socketConnections', ebpf(connections.cgroup), ebpf(connections.states)),
    // What programs leave out is not missing.
    ...(isTracked ? [] : [fact(PENDING, ebpf(pending)), fact('socketCounts', tcpCounters)]),
  ]
}

function ebpf(probes: EbpfRung['probes'], ...lacks: readonly Lack[]): EbpfRung {
  return { by: 'ebpf', probes, lacks }
}

/** Programs of these hooks have a number of the socket, and not its address. */
function canUseAddresses(rung: EbpfRung | SourceRung): boolean {
  if (rung.by === 'source') return true
  return rung.probes.every(
    ({ hook: { kind } }) => !kind.startsWith('cgroup') && kind !== 'fentry' && kind !== 'fexit',
  )
}
