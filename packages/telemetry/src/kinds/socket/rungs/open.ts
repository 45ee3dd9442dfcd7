/** Walks through the sockets that processes have already. */

import {
  and,
  cast,
  claim,
  constant,
  eq,
  fileSocketCookie,
  firstNonZero,
  ifThen,
  int,
  iterator,
  ne,
  oneOf,
  or,
  probe,
  type Scalar,
  socketCookie,
  struct,
} from 'quark-ebpf/probe'
import { bytesOf } from './closes.js'
import { IPPROTO_TCP, placeOf, TCP_CLOSE, TCP_LISTEN, TCP_SYN_SENT } from './common.js'
import type { File, Sock, SocketOfFile, SocketTask } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import {
  AF_INET,
  AF_INET6,
  foundLayout,
  IPPROTO_MPTCP,
  IPPROTO_UDP,
  PHASE_FOUND,
  PHASE_LISTENING,
  PHASE_TRIED,
  SOCK_RAW,
} from '../records.js'

/** Of the mode of a file. */
const S_IFMT = 0o170000
const S_IFSOCK = 0o140000

/** Every TCP socket of this network namespace gets a cookie, by being asked for it. */
function cookiesProbe(sort: 'tcp' | 'udp') {
  const argument =
    sort === 'tcp' ? struct<object>('sock_common', 'sk_common') : struct<object>('udp_sock', 'udp_sk')
  return probe({ name: `quark_ask_${sort}`, hook: iterator(sort, [argument]) }, (sk) => ({
    when: ne(socketCookie(sk), 0),
  }))
}

/** What maps and records call a socket. */
type CookieOf = (file: File, sk: Sock) => Scalar

/** The kernel gives a socket its cookie when it is asked for it. Linux 5.12. */
const asked: CookieOf = (file) => fileSocketCookie(file)
/** Only what was asked for before has one. */
const found: CookieOf = (_file, sk) => sk.__sk_common.skc_cookie.counter

function socketOf(file: File): Sock {
  return cast<SocketOfFile>('socket', file.private_data).sk
}

function isInternet(file: File, sk: Sock): Scalar {
  return and(
    eq(and(file.f_inode.i_mode, S_IFMT), S_IFSOCK),
    oneOf(sk.__sk_common.skc_family, [AF_INET, AF_INET6]),
  )
}

function walkFiles() {
  const file = struct<File>('file', 'file')
  return iterator('task_file', [struct<SocketTask>('task_struct', 'task'), int('fd', 4), file])
}

function foundFill(
  task: SocketTask,
  fd: Scalar,
  sk: Sock,
  { cookie, phase }: Record<'cookie' | 'phase', Scalar>,
) {
  const state = sk.__sk_common.skc_state
  const isTcp = eq(sk.sk_protocol, IPPROTO_TCP)
  const { sentBytes, receivedBytes, hasBytes } = bytesOf(sk, state)
  return {
    pid: task.tgid,
    startBootNs: task.group_leader.start_boottime,
    // When it was opened nobody can tell.
    sinceNs: 0,
    cookie,
    phase,
    fd,
    protocol: sk.sk_protocol,
    socketType: sk.sk_type,
    state,
    ...placeOf(sk),
    sentBytes: ifThen(isTcp, sentBytes),
    receivedBytes: ifThen(isTcp, receivedBytes),
    hasBytes: ifThen(isTcp, hasBytes),
  }
}

/** TCP sockets, and who the first one is that has each. */
function openTcpProbe({ sockets, keys }: SocketMaps, keyOf: CookieOf) {
  return probe({ name: 'quark_open', hook: walkFiles(), record: foundLayout }, (task, fd, file) => {
    const sk = socketOf(file)
    const state = sk.__sk_common.skc_state
    const key = keyOf(file, sk)
    const phase = firstNonZero(
      ifThen(eq(state, TCP_LISTEN), PHASE_LISTENING),
      ifThen(eq(state, TCP_SYN_SENT), PHASE_TRIED),
      constant(PHASE_FOUND),
    )
    const { pid, startBootNs, ...rest } = foundFill(task, fd, sk, { cookie: keys.idOf(key), phase })
    return {
      when: and(isInternet(file, sk), eq(sk.sk_protocol, IPPROTO_TCP), ne(state, TCP_CLOSE), ne(key, 0)),
      effects: [claim(sockets, key, 0, { pid, startBootNs, phase })],
      fill: { pid, startBootNs, ...rest },
    }
  })
}

/** Sockets of other protocols. */
function openOthersProbe({ openers }: SocketMaps, cookieOf: CookieOf) {
  return probe({ name: 'quark_open_misc', hook: walkFiles(), record: foundLayout }, (task, fd, file) => {
    const sk = socketOf(file)
    const cookie = cookieOf(file, sk)
    const fill = foundFill(task, fd, sk, { cookie, phase: constant(PHASE_FOUND) })
    const { pid, startBootNs } = fill
    return {
      when: and(
        isInternet(file, sk),
        or(oneOf(sk.sk_protocol, [IPPROTO_UDP, IPPROTO_MPTCP]), eq(sk.sk_type, SOCK_RAW)),
        ne(cookie, 0),
      ),
      effects: [claim(openers, cookie, 0, { pid, startBootNs })],
      fill,
    }
  })
}

/** The walks by the rung that needs them. */
export function openSocketProbes(maps: SocketMaps) {
  const walks = (cookieOf: CookieOf) => [openTcpProbe(maps, cookieOf), openOthersProbe(maps, cookieOf)]
  return {
    asked: walks(asked),
    withCookies: [cookiesProbe('tcp'), cookiesProbe('udp'), ...walks(found)],
    ofProcesses: walks(found),
    /** Where cookies cannot be asked for, TCP sockets are known by their addresses. */
    byKeys: [openTcpProbe(maps, (_file, sk) => maps.keys.ofUntyped(sk))],
  }
}
