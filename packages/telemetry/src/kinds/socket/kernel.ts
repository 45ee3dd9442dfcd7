/**
 * Probes that fill the records of sockets in the kernel.
 *
 * A change of state may be the work of a task or of a softirq, whose current task has nothing to do with it. A process
 * is only taken from hooks that run in the task that makes the call, or while a task holds the lock of the socket
 * (`sk_lock.owned`): softirqs leave such a socket alone, and the task handles their packets when it unlocks it.
 */

import {
  add,
  and,
  at,
  bootNs,
  cast,
  cgroupSock,
  cgroupSockAddr,
  claim,
  constant,
  currentTask,
  enumValue,
  eq,
  fentry,
  fexit,
  firstNonZero,
  firstOf,
  has,
  ifThen,
  inTask,
  int,
  iterator,
  lookup,
  ne,
  not,
  oneOf,
  type Operand,
  or,
  probe,
  remove,
  resolves,
  type Scalar,
  shiftLeft,
  shiftRight,
  socketCookie,
  store,
  struct,
  sub,
  tracepoint,
  increase,
} from 'quark-ebpf/probe'
import type { File, InetSock, Sock, SockAddrKern, SocketOfFile, SocketTask, TcpSock } from './kernel-types.js'
import type { SocketMaps } from './maps.js'
import {
  acceptLayout,
  AF_INET,
  AF_INET6,
  closeLayout,
  connectFailedLayout,
  connectLayout,
  listenLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_FOUND,
  PHASE_LISTENING,
  PHASE_REFUSED,
  PHASE_TRIED,
  PHASE_WAITING,
} from './records.js'

/** include/net/tcp_states.h */
const TCP_ESTABLISHED = 1
const TCP_SYN_SENT = 2
const TCP_SYN_RECV = 3
const TCP_CLOSE = 7
const TCP_LISTEN = 10
/** States in which data may wait to be sent. */
const SENDING_STATES = [TCP_ESTABLISHED, 4, 5, 8, 9, 11]
const IPPROTO_TCP = 6
/** Bits of `sk_shutdown`. */
const SEND_SHUTDOWN = 2
const BOTH_SHUTDOWN = 3
/** Of `task_struct.flags`. */
const PF_KTHREAD = 0x0020_0000
const HALF = 0xffff_ffff
/** Of the mode of a file. */
const S_IFMT = 0o170000
const S_IFSOCK = 0o140000

const NO_CLOSER = 'the end of a connection is seen, and not who closed it'

const stateHook = {
  ...tracepoint('inet_sock_set_state', [struct<Sock>('sock', 'sk'), int('oldstate', 4), int('newstate', 4)]),
  levels: ['task', 'softirq'],
} as const

const isTcp = (sk: Sock): Scalar => eq(sk.sk_protocol, IPPROTO_TCP)
const isOwned = (sk: Sock): Scalar => ne(sk.sk_lock.owned, 0)
const current = (): SocketTask => currentTask<SocketTask>()
const currentProcess = () => ({
  pid: current().tgid,
  startBootNs: current().group_leader.start_boottime,
})

/** A port in network order. */
function swapped(port: Scalar): Scalar {
  return or(shiftLeft(and(port, 0xff), 8), shiftRight(port, 8))
}

/** Where a socket and its peer are. */
function placeOf(sk: Sock) {
  const { skc_family, skc_v6_rcv_saddr: own, skc_v6_daddr: peer, ...common } = membersOf(sk)
  const isV4 = eq(skc_family, AF_INET)
  const word = (words: typeof own, index: number): Scalar => at(words.in6_u.u6_addr32, index)
  return {
    netNs: common.skc_net.net.ns.inum,
    family: skc_family,
    // When a socket is closed the other form of the port is 0 already.
    localPort: firstOf(cast<InetSock>('inet_sock', sk).inet_sport, swapped(sk.__sk_common.skc_num)),
    remotePort: common.skc_dport,
    local0: firstNonZero(ifThen(isV4, common.skc_rcv_saddr), word(own, 0)),
    local1: word(own, 1),
    local2: word(own, 2),
    local3: word(own, 3),
    remote0: firstNonZero(ifThen(isV4, common.skc_daddr), word(peer, 0)),
    remote1: word(peer, 1),
    remote2: word(peer, 2),
    remote3: word(peer, 3),
  }
}

/** Members are values of their own: a path has none to enumerate. */
function membersOf({ __sk_common: common }: Sock) {
  return {
    skc_family: common.skc_family,
    skc_daddr: common.skc_daddr,
    skc_rcv_saddr: common.skc_rcv_saddr,
    skc_dport: common.skc_dport,
    skc_v6_daddr: common.skc_v6_daddr,
    skc_v6_rcv_saddr: common.skc_v6_rcv_saddr,
    skc_net: common.skc_net,
  }
}

/** A system call begins a connection: whoever establishes it, this is the process. */
function attemptProbe({ sockets }: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_try${version}`,
      hook: cgroupSockAddr(`connect${version}`, struct<SockAddrKern>('bpf_sock_addr_kern')),
    },
    (context, kern) => {
      const word = (index: number): Scalar => at(context.user_ip6, index)
      return {
        when: eq(context.protocol, IPPROTO_TCP),
        effects: [
          store(sockets, socketCookie(), {
            ...currentProcess(),
            phase: PHASE_TRIED,
            sinceNs: bootNs(),
            remotePort: context.user_port,
            family: version === 4 ? AF_INET : AF_INET6,
            netNs: firstOf(kern.sk.__sk_common.skc_net.net.ns.inum, constant(0)),
            ...(version === 4
              ? { remote0: context.user_ip4 }
              : { remote0: word(0), remote1: word(1), remote2: word(2), remote3: word(3) }),
          }),
        ],
      }
    },
  )
}

/** The first packet of a handshake is sent, in the task that connects. */
function attemptByStateProbe({ sockets }: SocketMaps) {
  return probe({ name: 'quark_syn', hook: stateHook }, (sk, _oldState, newState) => ({
    when: and(eq(newState, TCP_SYN_SENT), isTcp(sk), isOwned(sk)),
    effects: [
      store(sockets, socketCookie(sk), { ...currentProcess(), phase: PHASE_TRIED, sinceNs: bootNs() }),
    ],
  }))
}

/**
 * A connection was tried to which the kernel found no way. Unless its function can be hooked, nothing says so but the
 * next thing that happens to the socket, which is in no state of a connection then.
 */
function unreachableBody({ sockets }: SocketMaps, cookie: Scalar, isUnconnected: Scalar, errno: Operand) {
  const { phase, family, netNs, pid, startBootNs, sinceNs, ...tried } = lookup(sockets, cookie)
  return {
    given: and(isUnconnected, eq(phase, PHASE_TRIED)),
    finally: [remove(sockets, cookie)],
    fill: {
      pid,
      startBootNs,
      sinceNs,
      netNs,
      family,
      cookie,
      phase,
      localPort: 0,
      local0: 0,
      local1: 0,
      local2: 0,
      local3: 0,
      remotePort: tried.remotePort,
      remote0: tried.remote0,
      remote1: tried.remote1,
      remote2: tried.remote2,
      remote3: tried.remote3,
      errno,
      shutdown: 0,
    },
  }
}

/** The function that connects returns an error. One of IPv6 calls that of IPv4 for an address of that. */
function refusedProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_no_way${version}`,
      hook: inTask(fexit(`tcp_v${version}_connect`, [struct<Sock>('sock', 'sk')], int('result', 4))),
      record: connectFailedLayout,
    },
    (sk, result) => {
      const hasFailed = and(ne(result, 0), eq(sk.__sk_common.skc_state, TCP_CLOSE))
      return unreachableBody(maps, socketCookie(sk), hasFailed, sub(0, result))
    },
  )
}

/** The socket is connected once more: connect(2) gets as far only if it has no connection. */
function retryProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_retry${version}`,
      hook: cgroupSockAddr(`connect${version}`),
      record: connectFailedLayout,
    },
    ({ protocol }) => unreachableBody(maps, socketCookie(), eq(protocol, IPPROTO_TCP), 0),
  )
}

/** The socket is closed. */
function givenUpProbe(maps: SocketMaps) {
  return probe(
    { name: 'quark_given_up', hook: cgroupSock('release'), record: connectFailedLayout },
    ({ protocol, state }) => {
      const isUnconnected = and(eq(protocol, IPPROTO_TCP), eq(state, TCP_CLOSE))
      return unreachableBody(maps, socketCookie(), isUnconnected, 0)
    },
  )
}

/** A handshake that this side began has finished. */
function connectProbe({ sockets }: SocketMaps) {
  return probe(
    { name: 'quark_connect', hook: stateHook, record: connectLayout },
    (sk, oldState, newState) => {
      const cookie = socketCookie(sk)
      const { pid, startBootNs, sinceNs } = lookup(sockets, cookie)
      const phase = PHASE_CONNECTED
      return {
        when: and(
          eq(newState, TCP_ESTABLISHED),
          isTcp(sk),
          // Both sides may begin at once.
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, cookie))),
        ),
        effects: [store(sockets, cookie, { pid, startBootNs, sinceNs, phase })],
        fill: { pid, startBootNs, sinceNs, phase, cookie, ...placeOf(sk) },
      }
    },
  )
}

/** A handshake that this side began has failed, or was given up. */
function connectFailedProbe({ sockets }: SocketMaps) {
  return probe(
    { name: 'quark_refused', hook: stateHook, record: connectFailedLayout },
    (sk, oldState, newState) => {
      const cookie = socketCookie(sk)
      const { pid, startBootNs, sinceNs, phase } = lookup(sockets, cookie)
      return {
        given: and(
          eq(newState, TCP_CLOSE),
          isTcp(sk),
          or(eq(oldState, TCP_SYN_SENT), and(eq(oldState, TCP_SYN_RECV), has(sockets, cookie))),
        ),
        finally: [remove(sockets, cookie)],
        fill: {
          pid,
          startBootNs,
          sinceNs,
          phase,
          cookie,
          ...placeOf(sk),
          errno: sk.sk_err,
          shutdown: and(sk.sk_shutdown, BOTH_SHUTDOWN),
        },
      }
    },
  )
}

/** A handshake that the other side began has finished: who accepts the connection is to be seen. */
function takenProbe({ sockets, waiting }: SocketMaps) {
  return probe({ name: 'quark_taken', hook: stateHook }, (sk, oldState, newState) => ({
    when: and(
      eq(newState, TCP_ESTABLISHED),
      eq(oldState, TCP_SYN_RECV),
      isTcp(sk),
      not(has(sockets, socketCookie(sk))),
    ),
    effects: [store(waiting, socketCookie(sk), bootNs())],
  }))
}

/** What the first process that is seen with a connection does. */
function acceptBody({ sockets, waiting }: SocketMaps, cookie: Scalar, sk: Sock, isCandidate: Scalar) {
  const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
  return {
    given: and(isCandidate, has(waiting, cookie)),
    effects: [claim(sockets, cookie, 0, { ...accepted, sinceNs: lookup(waiting, cookie) })],
    finally: [remove(waiting, cookie)],
    fill: { ...accepted, cookie, sinceNs: lookup(sockets, cookie).sinceNs, ...placeOf(sk) },
  }
}

/** The function that accepts returns a socket. */
function acceptedProbe(maps: SocketMaps) {
  const { sockets, waiting } = maps
  return probe(
    {
      name: 'quark_accept',
      hook: inTask(fexit('inet_csk_accept', [], struct<Sock>('sock', 'accepted'))),
      record: acceptLayout,
    },
    (sk) => {
      const cookie = socketCookie(sk)
      const accepted = { ...currentProcess(), phase: PHASE_ACCEPTED }
      return {
        // What is read of no socket is 0.
        given: isTcp(sk),
        effects: [claim(sockets, cookie, 0, { ...accepted, sinceNs: lookup(waiting, cookie) })],
        finally: [remove(waiting, cookie)],
        fill: { ...accepted, cookie, sinceNs: lookup(sockets, cookie).sinceNs, ...placeOf(sk) },
      }
    },
  )
}

/** An accept(2) that asks for the address of the peer. */
function acceptProbe(maps: SocketMaps, version: 4 | 6) {
  return probe(
    {
      name: `quark_accept${version}`,
      hook: cgroupSockAddr(`getpeername${version}`, struct<SockAddrKern>('bpf_sock_addr_kern')),
      record: acceptLayout,
    },
    (_context, kern) => acceptBody(maps, socketCookie(), kern.sk, isTcp(kern.sk)),
  )
}

/** A process reads. */
function firstReadProbe(maps: SocketMaps) {
  return probe(
    {
      name: 'quark_read',
      hook: {
        ...tracepoint('tcp_rcv_space_adjust', [struct<Sock>('sock', 'sk')]),
        levels: ['task', 'softirq'],
      },
      record: acceptLayout,
    },
    (sk) => acceptBody(maps, socketCookie(sk), sk, isOwned(sk)),
  )
}

/** A process sends. */
function firstSendProbe(maps: SocketMaps) {
  return probe(
    {
      name: 'quark_send',
      hook: inTask(tracepoint('sock_send_length', [struct<Sock>('sock', 'sk'), int('ret', 4)])),
      record: acceptLayout,
    },
    (sk) => acceptBody(maps, socketCookie(sk), sk, isTcp(sk)),
  )
}

/** listen(2). */
function listenProbe({ sockets }: SocketMaps) {
  return probe({ name: 'quark_listen', hook: stateHook, record: listenLayout }, (sk, oldState, newState) => {
    const cookie = socketCookie(sk)
    const entry = { ...currentProcess(), phase: PHASE_LISTENING, sinceNs: bootNs() }
    return {
      when: and(eq(newState, TCP_LISTEN), eq(oldState, TCP_CLOSE), isTcp(sk), isOwned(sk)),
      effects: [store(sockets, cookie, entry)],
      fill: { ...entry, cookie, backlog: sk.sk_max_ack_backlog, ...placeOf(sk) },
    }
  })
}

/** What was sent and received. */
function bytesOf(sk: Sock, state: Scalar) {
  const tcp = cast<TcpSock>('tcp_sock', sk)
  const queued = and(sub(tcp.write_seq, tcp.snd_nxt), HALF)
  // The end of the stream has a number of its own in both directions.
  const fin = and(ne(and(sk.sk_shutdown, SEND_SHUTDOWN), 0), ne(queued, 0))
  const hasFin = and(shiftRight(sk.__sk_common.skc_flags, enumValue('sock_flags', 'SOCK_DONE')), 1)
  return {
    sentBytes: add(
      sub(tcp.bytes_sent, tcp.bytes_retrans),
      ifThen(oneOf(state, SENDING_STATES), sub(queued, fin)),
    ),
    receivedBytes: sub(tcp.bytes_received, hasFin),
    hasBytes: resolves(tcp.bytes_sent, tcp.bytes_retrans, queued, tcp.bytes_received, hasFin),
  }
}

/** What is known of a socket that is closed. */
function closeFill(
  { sockets, waiting }: SocketMaps,
  cookie: Scalar,
  sk: Sock,
  { state, isNobodys }: { readonly state: Scalar; readonly isNobodys: Scalar },
) {
  const { pid, startBootNs, sinceNs, phase, errno } = lookup(sockets, cookie)
  return {
    pid,
    startBootNs,
    cookie,
    phase: firstNonZero(
      phase,
      ifThen(and(has(waiting, cookie), isNobodys), PHASE_REFUSED),
      ifThen(has(waiting, cookie), PHASE_WAITING),
      ifThen(eq(state, TCP_LISTEN), PHASE_LISTENING),
    ),
    sinceNs: firstNonZero(sinceNs, lookup(waiting, cookie)),
    errno: firstNonZero(errno, sk.sk_err),
    ...placeOf(sk),
  }
}

/** The last one who has it closes a socket. */
function closeBody(maps: SocketMaps, cookie: Scalar, sk: Sock) {
  const { sockets, waiting } = maps
  const state = sk.__sk_common.skc_state
  const isUser = eq(and(currentTask<{ flags: Scalar }>().flags, PF_KTHREAD), 0)
  return {
    given: and(
      isTcp(sk),
      // That will be a failed connection.
      ne(state, TCP_SYN_SENT),
      or(ne(state, TCP_CLOSE), has(sockets, cookie), has(waiting, cookie)),
    ),
    finally: [remove(sockets, cookie), remove(waiting, cookie)],
    fill: {
      ...closeFill(maps, cookie, sk, { state, isNobodys: constant(0) }),
      // Files may be closed by the kernel on behalf of somebody.
      closerPid: ifThen(isUser, current().tgid),
      closerStartBootNs: ifThen(isUser, current().group_leader.start_boottime),
      ...bytesOf(sk, state),
    },
  }
}

function releaseProbe(maps: SocketMaps) {
  const hook = cgroupSock('release', struct<Sock>('sock', 'sk'))
  return probe({ name: 'quark_close', hook, record: closeLayout }, (_context, sk) =>
    closeBody(maps, socketCookie(), sk),
  )
}

/** The same at the function that closes. */
function tcpCloseProbe(maps: SocketMaps) {
  const hook = inTask(fentry('tcp_close', [struct<Sock>('sock', 'sk')]))
  return probe({ name: 'quark_close', hook, record: closeLayout }, (sk) =>
    closeBody(maps, socketCookie(sk), sk),
  )
}

/** A connection ends of which no process has a socket, or a process undoes it and keeps the socket. */
function endProbe(maps: SocketMaps) {
  const { sockets, waiting } = maps
  return probe({ name: 'quark_end', hook: stateHook, record: closeLayout }, (sk, oldState, newState) => {
    const cookie = socketCookie(sk)
    const isUndone = and(eq(sk.sk_err, 0), ne(and(sk.sk_shutdown, BOTH_SHUTDOWN), BOTH_SHUTDOWN), isOwned(sk))
    const isNobodys = or(eq(sk.sk_socket, 0), ne(sk.sk_kern_sock, 0))
    return {
      given: and(
        eq(newState, TCP_CLOSE),
        not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
        isTcp(sk),
        or(isNobodys, isUndone),
        or(has(sockets, cookie), has(waiting, cookie)),
      ),
      finally: [remove(sockets, cookie), remove(waiting, cookie)],
      fill: {
        ...closeFill(maps, cookie, sk, { state: oldState, isNobodys }),
        closerPid: ifThen(not(isNobodys), current().tgid),
        closerStartBootNs: ifThen(not(isNobodys), current().group_leader.start_boottime),
        ...bytesOf(sk, oldState),
      },
    }
  })
}

/** A connection ends, whoever has closed it. */
function lastStateProbe(maps: SocketMaps) {
  const { sockets, waiting } = maps
  return probe({ name: 'quark_end', hook: stateHook, record: closeLayout }, (sk, oldState, newState) => {
    const cookie = socketCookie(sk)
    return {
      given: and(
        eq(newState, TCP_CLOSE),
        not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
        isTcp(sk),
        or(has(sockets, cookie), has(waiting, cookie)),
      ),
      finally: [remove(sockets, cookie), remove(waiting, cookie)],
      fill: {
        // A socket that was closed has no file, nor has one that was never accepted.
        ...closeFill(maps, cookie, sk, { state: oldState, isNobodys: constant(0) }),
        ...bytesOf(sk, oldState),
      },
      lacks: { closerPid: NO_CLOSER, closerStartBootNs: NO_CLOSER },
    }
  })
}

/** A connection ends with an error, and its socket is closed later. */
function errorProbe({ sockets }: SocketMaps) {
  return probe({ name: 'quark_error', hook: stateHook }, (sk, oldState, newState) => ({
    when: and(
      eq(newState, TCP_CLOSE),
      not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
      isTcp(sk),
      ne(sk.sk_err, 0),
      has(sockets, socketCookie(sk)),
    ),
    effects: [increase(sockets, socketCookie(sk), { errno: sk.sk_err })],
  }))
}

/** Every TCP socket of this network namespace gets a cookie, by being asked for it. */
function cookiesProbe() {
  return probe(
    { name: 'quark_cookies', hook: iterator('tcp', [struct<object>('sock_common', 'sk_common')]) },
    (sk) => ({ when: ne(socketCookie(sk), 0) }),
  )
}

/** Sockets that processes have already, and who the first one is that has each. */
function openSocketsProbe({ sockets }: SocketMaps) {
  const file = struct<File>('file', 'file')
  const hook = iterator('task_file', [struct<SocketTask>('task_struct', 'task'), int('fd', 4), file])
  return probe({ name: 'quark_open', hook }, (task, _fd, opened) => {
    const { sk } = cast<SocketOfFile>('socket', opened.private_data)
    const { skc_state: state, skc_family: family, skc_cookie: cookie } = sk.__sk_common
    const phase = firstNonZero(
      ifThen(eq(state, TCP_LISTEN), PHASE_LISTENING),
      ifThen(eq(state, TCP_SYN_SENT), PHASE_TRIED),
      constant(PHASE_FOUND),
    )
    return {
      when: and(
        eq(and(opened.f_inode.i_mode, S_IFMT), S_IFSOCK),
        oneOf(family, [AF_INET, AF_INET6]),
        isTcp(sk),
        ne(state, TCP_CLOSE),
        ne(cookie.counter, 0),
      ),
      effects: [
        claim(sockets, cookie.counter, 0, {
          pid: task.tgid,
          startBootNs: task.group_leader.start_boottime,
          phase,
        }),
      ],
    }
  })
}

/**
 * The probes of each rung. Some rely on their order: what a socket was is recorded before another probe of the same hook
 * changes that.
 */
export function socketProbes(maps: SocketMaps) {
  const later = [retryProbe(maps, 4), retryProbe(maps, 6), givenUpProbe(maps)]
  const ends = [endProbe(maps), errorProbe(maps)]
  const byAddress = [acceptProbe(maps, 4), acceptProbe(maps, 6)]
  const byReading = [firstReadProbe(maps), takenProbe(maps)]
  const handshakes = [connectFailedProbe(maps), connectProbe(maps)]
  return {
    unreachable: {
      functions: [refusedProbe(maps, 4), refusedProbe(maps, 6), ...later],
      cgroup: later,
    },
    closes: {
      cgroup: [releaseProbe(maps), ...ends],
      functions: [tcpCloseProbe(maps), ...ends],
      states: [lastStateProbe(maps)],
    },
    accepts: {
      functions: [acceptedProbe(maps), takenProbe(maps)],
      /** Linux 6.3. */
      sending: [firstSendProbe(maps), ...byAddress, ...byReading],
      cgroup: [...byAddress, ...byReading],
      reading: byReading,
    },
    listeners: [listenProbe(maps)],
    open: {
      withCookies: [cookiesProbe(), openSocketsProbe(maps)],
      ofProcesses: [openSocketsProbe(maps)],
    },
    connections: {
      cgroup: [...handshakes, attemptProbe(maps, 4), attemptProbe(maps, 6)],
      states: [...handshakes, attemptByStateProbe(maps)],
    },
  }
}
