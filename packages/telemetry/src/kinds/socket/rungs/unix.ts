/** Programs that see who connects through Unix sockets. */

import {
  add,
  and,
  at,
  callArgument,
  cast,
  eq,
  fexit,
  ge,
  inTask,
  int,
  kernelBytes,
  ne,
  oneOf,
  probe,
  type Scalar,
  socketCookie,
  struct,
  sub,
  sysExit,
  type SystemCall,
} from 'quark-ebpf/probe'
import { current, currentProcess } from './common.js'
import type { Sock, SocketOfFile, UnixSock } from '../kernel-types.js'
import { AF_UNIX, UNIX_ACCEPT, UNIX_CONNECT, UNIX_LISTEN, unixLayout } from '../records.js'

/** `sun_family`, which the length of an address includes. */
const FAMILY_BYTES = 2

/** The address that others connect to: of a client it is the one of its peer, of all others their own. */
function nameOf(sk: Sock, action: number) {
  const own = cast<UnixSock>('unix_sock', sk)
  const named = action === UNIX_CONNECT ? cast<UnixSock>('unix_sock', own.peer) : own
  const { sun_path: path } = at(named.addr.name, 0)
  // An abstract name begins behind a NUL.
  const isAbstract = and(ge(named.addr.len, 4), eq(at(path, 0), 0), ne(at(path, 1), 0))
  const start = path as unknown as Scalar
  const end = add(start, sub(named.addr.len, FAMILY_BYTES))
  return { isAbstract, name: kernelBytes(add(start, isAbstract), end) }
}

function fillOf(sk: Sock, action: number, cookie: Scalar) {
  return {
    ...currentProcess(),
    cookie,
    peerPid: at(sk.sk_peer_pid.numbers, 0).nr,
    netNs: sk.__sk_common.skc_net.net.ns.inum,
    action,
    socketType: sk.sk_type,
    ...nameOf(sk, action),
  }
}

const socket = (name: string) => struct<SocketOfFile>('socket', name)

/** A function of Unix sockets returns 0. */
function functionProbe(name: string, target: string, action: number) {
  const hook = inTask(fexit(target, [socket('sock')], int('result', 4)))
  return probe({ name, hook, record: unixLayout }, (sock, result) => ({
    given: eq(result, 0),
    fill: fillOf(sock.sk, action, socketCookie(sock)),
  }))
}

function acceptedProbe() {
  const hook = inTask(fexit('unix_accept', [socket('sock'), socket('newsock')], int('result', 4)))
  return probe({ name: 'quark_unix_acc', hook, record: unixLayout }, (_sock, accepted, result) => ({
    given: eq(result, 0),
    fill: fillOf(accepted.sk, UNIX_ACCEPT, socketCookie(accepted)),
  }))
}

/** A system call has done it; the socket is that of its descriptor. */
function callProbe(name: string, calls: readonly [SystemCall, ...SystemCall[]], action: number) {
  return probe({ name, hook: sysExit(calls), record: unixLayout }, (call, result) => {
    const { fd, max_fds: count } = current().files.fdt
    // accept(2) returns the descriptor.
    const index = action === UNIX_ACCEPT ? result : and(callArgument(call, 0), 0x7fff_ffff)
    const { sk } = cast<SocketOfFile>('socket', at(fd, index, count).private_data)
    return {
      given: and(
        action === UNIX_ACCEPT ? ge(result, 0) : eq(result, 0),
        oneOf(sk.__sk_common.skc_family, [AF_UNIX]),
      ),
      fill: fillOf(sk, action, sk.__sk_common.skc_cookie.counter),
    }
  })
}

/** The probes of each rung. */
export function unixProbes() {
  return {
    functions: [
      functionProbe('quark_unix_conn', 'unix_stream_connect', UNIX_CONNECT),
      functionProbe('quark_unix_lstn', 'unix_listen', UNIX_LISTEN),
      acceptedProbe(),
    ],
    calls: [
      callProbe('quark_unix_conn', ['connect'], UNIX_CONNECT),
      callProbe('quark_unix_lstn', ['listen'], UNIX_LISTEN),
      callProbe('quark_unix_acc', ['accept', 'accept4'], UNIX_ACCEPT),
    ],
  }
}
