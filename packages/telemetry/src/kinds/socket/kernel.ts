/** Programs that fill the records of sockets in the kernel, by fact and rung. */

import type { SocketMaps } from './maps.js'
import {
  acceptProbe,
  acceptedKprobe,
  acceptedProbe,
  firstReadProbe,
  firstSendProbe,
  takenProbe,
} from './rungs/accepts.js'
import { attemptByStateProbe, attemptProbe } from './rungs/attempts.js'
import {
  endProbe,
  errorProbe,
  lastStateProbe,
  releaseProbe,
  tcpCloseKprobe,
  tcpCloseProbe,
  undoneProbe,
} from './rungs/closes.js'
import { connectFailedProbe, connectProbe } from './rungs/handshakes.js'
import { listenPortProbe, listenProbe } from './rungs/listeners.js'
import { pendingProbe } from './rungs/pending.js'
import {
  connectErrorProbe,
  failedCalls,
  givenUpProbe,
  refusedProbe,
  retryProbe,
} from './rungs/unreachable.js'

/**
 * The probes of each rung. Some rely on their order: what a socket was is recorded before another probe of the same hook
 * changes that.
 */
export function socketProbes(maps: SocketMaps) {
  const later = [retryProbe(maps, 4), retryProbe(maps, 6), givenUpProbe(maps)]
  const ends = [undoneProbe(maps), endProbe(maps), errorProbe(maps)]
  const byAddress = [acceptProbe(maps, 4), acceptProbe(maps, 6)]
  const byReading = [firstReadProbe(maps), takenProbe(maps)]
  const handshakes = [connectFailedProbe(maps), connectProbe(maps)]
  return {
    unreachable: {
      functions: [refusedProbe(maps, 4), refusedProbe(maps, 6), ...later],
      kprobes: failedCalls(maps),
      cgroup: later,
    },
    closes: {
      cgroup: [releaseProbe(maps), ...ends],
      functions: [tcpCloseProbe(maps), ...ends],
      kprobes: [tcpCloseKprobe(maps), ...ends],
      states: [lastStateProbe(maps)],
    },
    accepts: {
      functions: [acceptedProbe(maps), takenProbe(maps)],
      kprobes: [acceptedKprobe(maps), takenProbe(maps)],
      /** Linux 6.3. */
      sending: [firstSendProbe(maps), ...byAddress, ...byReading],
      cgroup: [...byAddress, ...byReading],
      reading: byReading,
    },
    listeners: [listenProbe(maps)],
    listenPorts: [listenPortProbe()],
    connectErrors: [connectErrorProbe(maps, 4), connectErrorProbe(maps, 6)],
    pending: [pendingProbe(maps)],
    connections: {
      cgroup: [...handshakes, attemptProbe(maps, 4), attemptProbe(maps, 6)],
      states: [...handshakes, attemptByStateProbe(maps)],
    },
  }
}
