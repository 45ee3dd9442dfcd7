/** Programs that see who opens a socket through which packets of others can be read. */

import {
  and,
  bootNs,
  callArgument,
  cast,
  cgroupSock,
  constant,
  eq,
  fentry,
  fexit,
  firstOf,
  ge,
  ifThen,
  inTask,
  int,
  kprobe,
  lookup,
  oneOf,
  or,
  probe,
  remove,
  type Scalar,
  shiftLeft,
  shiftRight,
  socketCookie,
  store,
  struct,
  sysExit,
  notPartlyInlined,
} from 'quark-ebpf/probe'
import { current, currentProcess, isUserTask } from './common.js'
import type { PacketSock, Sock, SocketOfFile } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET, AF_INET6, AF_PACKET, PHASE_FOUND, rawCloseLayout, rawLayout, SOCK_RAW } from '../records.js'

/** The flags beside the type: `SOCK_CLOEXEC` and `SOCK_NONBLOCK`. */
const TYPE_MASK = 0xf

const SOCKET = struct<SocketOfFile>('socket', 'sock')

const NOWHERE = {
  localPort: 0,
  remotePort: 0,
  local0: 0,
  local1: 0,
  local2: 0,
  local3: 0,
  remote0: 0,
  remote1: 0,
  remote2: 0,
  remote3: 0,
} as const

const swapped = (port: Scalar): Scalar => or(shiftLeft(and(port, 0xff), 8), shiftRight(port, 8))

const netNsOf = (sk: Sock): Scalar => firstOf(sk.__sk_common.skc_net.net.ns.inum, constant(0))

function openedFill(cookie: Scalar) {
  return { ...currentProcess(), cookie, sinceNs: bootNs(), phase: PHASE_FOUND, ...NOWHERE, reserved: 0 }
}

/** socket(2) of the internet. */
function rawProbe({ openers }: SocketMaps) {
  const hook = cgroupSock('create', struct<Sock>('sock'))
  return probe({ name: 'quark_raw', hook, record: rawLayout }, ({ family, type, protocol }, sk) => {
    const cookie = socketCookie()
    return {
      given: eq(type, SOCK_RAW),
      effects: [store(openers, cookie, { ...currentProcess(), sinceNs: bootNs() })],
      fill: { ...openedFill(cookie), netNs: netNsOf(sk), family, protocol, socketType: type },
    }
  })
}

function closedFill({ openers }: SocketMaps, cookie: Scalar, isUser = isUserTask()) {
  const { pid, startBootNs, sinceNs } = lookup(openers, cookie)
  return {
    pid,
    startBootNs,
    sinceNs,
    cookie,
    phase: PHASE_FOUND,
    ...NOWHERE,
    closerPid: ifThen(isUser, current().tgid),
    closerStartBootNs: ifThen(isUser, current().group_leader.start_boottime),
  }
}

function rawCloseProbe(maps: SocketMaps, isUser: Scalar) {
  const hook = cgroupSock('release', struct<Sock>('sock'))
  return probe(
    { name: 'quark_raw_close', hook, record: rawCloseLayout },
    ({ family, type, protocol }, sk) => {
      const cookie = socketCookie()
      return {
        given: eq(type, SOCK_RAW),
        finally: [remove(maps.openers, cookie)],
        fill: { ...closedFill(maps, cookie, isUser), netNs: netNsOf(sk), family, protocol, socketType: type },
      }
    },
  )
}

/** A socket gets a file: until then no process has it. */
function rawFileProbe({ openers, keys }: SocketMaps, entry: typeof fentry) {
  const hook = inTask(entry('sock_alloc_file', [SOCKET]))
  return probe({ name: 'quark_raw', hook, record: rawLayout }, ({ sk }) => {
    const cookie = keys.ofUser(sk)
    const { skc_family: family } = sk.__sk_common
    return {
      given: and(eq(sk.sk_type, SOCK_RAW), oneOf(family, [AF_INET, AF_INET6])),
      effects: [store(openers, cookie, { ...currentProcess(), sinceNs: bootNs() })],
      fill: {
        ...openedFill(cookie),
        netNs: netNsOf(sk),
        family,
        protocol: sk.sk_protocol,
        socketType: sk.sk_type,
      },
    }
  })
}

function rawReleaseProbe(maps: SocketMaps, entry: typeof fentry) {
  const hook = inTask(entry('inet_release', [SOCKET]))
  return probe({ name: 'quark_raw_close', hook, record: rawCloseLayout }, ({ sk }) => {
    const cookie = maps.keys.ofUser(sk)
    return {
      given: and(eq(sk.sk_type, SOCK_RAW), eq(sk.sk_kern_sock, 0)),
      finally: [remove(maps.openers, cookie)],
      fill: {
        ...closedFill(maps, cookie),
        netNs: netNsOf(sk),
        family: sk.__sk_common.skc_family,
        protocol: sk.sk_protocol,
        socketType: sk.sk_type,
      },
    }
  })
}

/** A socket of packets gets a file. */
function packetFileProbe({ openers, keys }: SocketMaps) {
  const hook = notPartlyInlined(inTask(kprobe('sock_alloc_file', [SOCKET])))
  return probe({ name: 'quark_packet', hook, record: rawLayout }, ({ sk }) => {
    const cookie = keys.ofUser(sk)
    return {
      given: eq(sk.__sk_common.skc_family, AF_PACKET),
      effects: [store(openers, cookie, { ...currentProcess(), sinceNs: bootNs() })],
      fill: {
        ...openedFill(cookie),
        netNs: netNsOf(sk),
        family: AF_PACKET,
        protocol: swapped(cast<PacketSock>('packet_sock', sk).num),
        socketType: sk.sk_type,
      },
    }
  })
}

/** The function that makes a socket of packets has done so. */
function packetProbe({ openers }: SocketMaps) {
  const hook = inTask(
    fexit(
      'packet_create',
      [struct<object>('net', 'net'), struct<SocketOfFile>('socket', 'sock'), int('protocol', 4)],
      int('result', 4),
    ),
  )
  return probe({ name: 'quark_packet', hook, record: rawLayout }, (_net, sock, protocol, result) => {
    const cookie = socketCookie(sock)
    return {
      given: eq(result, 0),
      effects: [store(openers, cookie, { ...currentProcess(), sinceNs: bootNs() })],
      fill: {
        ...openedFill(cookie),
        netNs: sock.sk.__sk_common.skc_net.net.ns.inum,
        family: AF_PACKET,
        protocol: swapped(and(protocol, 0xffff)),
        socketType: sock.sk.sk_type,
      },
    }
  })
}

function packetCloseProbe(maps: SocketMaps, entry: typeof fentry) {
  const hook = inTask(entry('packet_release', [SOCKET]))
  return probe({ name: 'quark_pkt_close', hook, record: rawCloseLayout }, (sock) => {
    const cookie = entry === fentry ? socketCookie(sock) : maps.keys.ofUser(sock.sk)
    return {
      given: eq(sock.sk.__sk_common.skc_family, AF_PACKET),
      finally: [remove(maps.openers, cookie)],
      fill: {
        ...closedFill(maps, cookie),
        netNs: sock.sk.__sk_common.skc_net.net.ns.inum,
        family: AF_PACKET,
        protocol: 0,
        socketType: sock.sk.sk_type,
      },
    }
  })
}

/** socket(2) itself returns: on kernels that let no function be hooked. */
function packetCallProbe() {
  const hook = sysExit(['socket'])
  return probe({ name: 'quark_packet', hook, record: rawLayout }, (call, result) => ({
    given: and(ge(result, 0), eq(and(callArgument(call, 0), 0xffff), AF_PACKET)),
    fill: {
      ...openedFill(constant(0)),
      netNs: currentNetNs(),
      family: AF_PACKET,
      protocol: swapped(and(callArgument(call, 2), 0xffff)),
      socketType: and(callArgument(call, 1), TYPE_MASK),
    },
  }))
}

function currentNetNs(): Scalar {
  return current().nsproxy.net_ns.ns.inum
}

/** The probes of each rung. */
export function rawProbes(maps: SocketMaps) {
  return {
    opened: {
      cgroup: [rawProbe(maps)],
      functions: [rawFileProbe(maps, fentry)],
      kprobes: [rawFileProbe(maps, kprobe)],
    },
    closed: {
      byUsers: [rawCloseProbe(maps, isUserTask())],
      functions: [rawReleaseProbe(maps, fentry)],
      kprobes: [rawReleaseProbe(maps, kprobe)],
      byAnybody: [rawCloseProbe(maps, constant(1))],
    },
    packets: {
      functions: [packetProbe(maps)],
      kprobes: [packetFileProbe(maps)],
      calls: [packetCallProbe()],
    },
    packetsClosed: {
      functions: [packetCloseProbe(maps, fentry)],
      kprobes: [packetCloseProbe(maps, kprobe)],
    },
  }
}
