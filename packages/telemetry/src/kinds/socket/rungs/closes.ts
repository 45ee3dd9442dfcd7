/** The end of connections, and who closes them. */

import {
  add,
  and,
  cast,
  cgroupSock,
  constant,
  enumValue,
  eq,
  fentry,
  firstNonZero,
  has,
  ifThen,
  increase,
  inTask,
  kprobe,
  lookup,
  ne,
  not,
  oneOf,
  or,
  probe,
  remove,
  resolves,
  type Scalar,
  shiftRight,
  socketCookie,
  store,
  struct,
  sub,
} from 'quark-ebpf/probe'
import type { Sock, TcpSock } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { closeLayout, PHASE_LISTENING, PHASE_REFUSED, PHASE_WAITING } from '../records.js'
import {
  TCP_ESTABLISHED,
  TCP_SYN_SENT,
  TCP_SYN_RECV,
  TCP_CLOSE,
  TCP_LISTEN,
  BOTH_SHUTDOWN,
  stateHook,
  isTcp,
  isOwned,
  isUserTask,
  current,
  placeOf,
} from './common.js'

/** States in which data may wait to be sent. */
const SENDING_STATES = [TCP_ESTABLISHED, 4, 5, 8, 9, 11]
/** Bit of `sk_shutdown`. */
const SEND_SHUTDOWN = 2
const HALF = 0xffff_ffff

const NO_CLOSER = 'the end of a connection is seen, and not who closed it'

/** 1 if a flag of a socket is set. */
function flagOf(sk: Sock, flag: string): Scalar {
  return and(shiftRight(sk.__sk_common.skc_flags, enumValue('sock_flags', flag)), 1)
}

/** What was sent and received. */
export function bytesOf(sk: Sock, state: Scalar) {
  const tcp = cast<TcpSock>('tcp_sock', sk)
  const queued = and(sub(tcp.write_seq, tcp.snd_nxt), HALF)
  // The end of the stream has a number of its own in both directions.
  const fin = and(ne(and(sk.sk_shutdown, SEND_SHUTDOWN), 0), ne(queued, 0))
  const hasFin = flagOf(sk, 'SOCK_DONE')
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
  { sockets, waiting, keys }: SocketMaps,
  key: Scalar,
  sk: Sock,
  { state, isNobodys, error }: { readonly state: Scalar; readonly isNobodys: Scalar; readonly error: Scalar },
) {
  const { pid, startBootNs, sinceNs, phase, errno } = lookup(sockets, key)
  return {
    pid,
    startBootNs,
    cookie: keys.idOf(key),
    phase: firstNonZero(
      phase,
      ifThen(and(has(waiting, key), isNobodys), PHASE_REFUSED),
      ifThen(has(waiting, key), PHASE_WAITING),
      ifThen(eq(state, TCP_LISTEN), PHASE_LISTENING),
    ),
    sinceNs: firstNonZero(sinceNs, lookup(waiting, key)),
    errno: firstNonZero(errno, error),
    ...placeOf(sk),
  }
}

/** The last one who has it closes a socket. */
export function closeBody(maps: SocketMaps, key: Scalar, sk: Sock) {
  const { sockets, waiting, broken, keys } = maps
  const state = sk.__sk_common.skc_state
  const isUser = isUserTask()
  return {
    given: and(
      isTcp(sk),
      // That will be a failed connection.
      ne(state, TCP_SYN_SENT),
      or(ne(state, TCP_CLOSE), has(sockets, key), has(waiting, key)),
    ),
    finally: [
      remove(sockets, key),
      remove(waiting, key),
      // A key that no other socket will have may stay there until its room is needed.
      ...(keys.isForAll ? [] : [remove(broken, key)]),
    ],
    fill: {
      ...closeFill(maps, key, sk, { state, isNobodys: constant(0), error: sk.sk_err }),
      // Files may be closed by the kernel on behalf of somebody.
      closerPid: ifThen(isUser, current().tgid),
      closerStartBootNs: ifThen(isUser, current().group_leader.start_boottime),
      ...bytesOf(sk, state),
    },
  }
}

export function releaseProbe(maps: SocketMaps) {
  const hook = cgroupSock('release', struct<Sock>('sock', 'sk'))
  return probe({ name: 'quark_close', hook, record: closeLayout }, (_context, sk) =>
    closeBody(maps, socketCookie(), sk),
  )
}

/** The same at the function that closes. */
export function tcpCloseProbe(maps: SocketMaps) {
  const hook = inTask(fentry('tcp_close', [struct<Sock>('sock', 'sk')]))
  return probe({ name: 'quark_close', hook, record: closeLayout }, (sk) =>
    closeBody(maps, maps.keys.of(sk), sk),
  )
}

/** The same where only kprobes can hook it. */
export function tcpCloseKprobe(maps: SocketMaps) {
  const hook = inTask(kprobe('tcp_close', [struct<Sock>('sock', 'sk')]))
  return probe({ name: 'quark_close', hook, record: closeLayout }, (sk) =>
    closeBody(maps, maps.keys.ofUntyped(sk), sk),
  )
}

/** A connection ends of which no process has a socket, or a process undoes it and keeps the socket. */
export function endProbe(maps: SocketMaps) {
  const { sockets, waiting, keys } = maps
  return probe({ name: 'quark_end', hook: stateHook(TCP_CLOSE), record: closeLayout }, (sk, oldState) => {
    const key = keys.of(sk)
    const isUndone = and(eq(sk.sk_err, 0), ne(and(sk.sk_shutdown, BOTH_SHUTDOWN), BOTH_SHUTDOWN), isOwned(sk))
    const isNobodys = or(eq(sk.sk_socket, 0), ne(sk.sk_kern_sock, 0))
    return {
      given: and(
        not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
        isTcp(sk),
        or(isNobodys, isUndone),
        or(has(sockets, key), has(waiting, key)),
      ),
      finally: [remove(sockets, key), remove(waiting, key)],
      fill: {
        ...closeFill(maps, key, sk, { state: oldState, isNobodys, error: sk.sk_err }),
        closerPid: ifThen(not(isNobodys), current().tgid),
        closerStartBootNs: ifThen(not(isNobodys), current().group_leader.start_boottime),
        ...bytesOf(sk, oldState),
      },
    }
  })
}

/** A connection ends, whoever has closed it. */
export function lastStateProbe(maps: SocketMaps) {
  const { sockets, waiting, keys } = maps
  return probe({ name: 'quark_end', hook: stateHook(TCP_CLOSE), record: closeLayout }, (sk, oldState) => {
    const key = keys.of(sk)
    return {
      given: and(
        not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
        isTcp(sk),
        or(has(sockets, key), has(waiting, key)),
      ),
      finally: [remove(sockets, key), remove(waiting, key)],
      fill: {
        // A socket that was closed has no file, nor has one that was never accepted.
        ...closeFill(maps, key, sk, {
          state: oldState,
          isNobodys: constant(0),
          // What comes after the close is no error of whoever closed it.
          error: ifThen(not(flagOf(sk, 'SOCK_DEAD')), sk.sk_err),
        }),
        ...bytesOf(sk, oldState),
      },
      lacks: { closerPid: NO_CLOSER, closerStartBootNs: NO_CLOSER },
    }
  })
}

/** A connection ends with an error, and its socket is closed later. */
export function errorProbe({ sockets, broken, keys }: SocketMaps) {
  return probe({ name: 'quark_error', hook: stateHook(TCP_CLOSE) }, (sk, oldState) => {
    const key = keys.of(sk)
    const { pid, startBootNs, sinceNs, phase } = lookup(sockets, key)
    return {
      when: and(
        ne(sk.sk_err, 0),
        not(oneOf(oldState, [TCP_SYN_SENT, TCP_SYN_RECV])),
        isTcp(sk),
        has(sockets, key),
      ),
      effects: [
        increase(sockets, key, { errno: sk.sk_err }),
        store(broken, key, {
          pid,
          startBootNs,
          sinceNs,
          phase,
          errno: sk.sk_err,
          ...placeOf(sk),
          ...bytesOf(sk, oldState),
        }),
      ],
    }
  })
}

/** Of a socket whose connection was broken another one is begun: connect(2) without an address undid the first. */
export function undoneProbe({ broken, keys }: SocketMaps) {
  return probe({ name: 'quark_undone', hook: stateHook(TCP_SYN_SENT), record: closeLayout }, (sk) => {
    const key = keys.of(sk)
    return {
      given: and(isOwned(sk), isTcp(sk), has(broken, key)),
      finally: [remove(broken, key)],
      fill: {
        ...lookup(broken, key),
        cookie: keys.idOf(key),
        closerPid: current().tgid,
        closerStartBootNs: current().group_leader.start_boottime,
      },
    }
  })
}
