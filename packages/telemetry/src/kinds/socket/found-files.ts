/** The sockets that are open at the start, found without programs: by netlink, or in /proc/net. */

import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'
import { EbpfError, type ListedSocket, listSockets, type SocketsWanted } from 'quark-ebpf'
import { encodeRecord } from 'quark-ebpf/probe'
import { QuarkError } from '../../errors.js'
import type { SourceRung } from '../../facts/rungs.js'
import { swap16 } from '../../names/address.js'
import {
  AF_INET,
  AF_INET6,
  foundLayout,
  IPPROTO_UDP,
  PHASE_FOUND,
  PHASE_LISTENING,
  PHASE_TRIED,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
} from './records.js'

/** How sockets are found where no program can walk through them. */
export type FinderName = 'sock_diag' | 'proc'

/** Most network namespaces that are looked into, and links of descriptors that are read. */
const MAX_NAMESPACES = 1024
const MAX_LINKS = 1_000_000
/** Most bytes of one file of /proc/net: what is beyond is left out. */
const MAX_FILE_BYTES = 64 << 20
const CHUNK_BYTES = 65_536

const IPPROTO_TCP = 6
const IPPROTO_RAW = 255
/** include/net/tcp_states.h */
const TCP_SYN_SENT = 2
const TCP_LISTEN = 10
/** No process has what is in one of these: TCP_SYN_RECV, TCP_TIME_WAIT, TCP_NEW_SYN_RECV. */
const NOBODYS = (1 << 3) | (1 << 6) | (1 << 12)
const ALL_STATES = 0x1fff & ~NOBODYS
/** Distinguishes the number of an inode from that of a socket: see keys.ts. */
const INODE_BIT = 1n << 40n

interface Protocol {
  readonly protocol: number
  readonly socketType: number
  /** Files of /proc/net. */
  readonly file: string
}

const PROTOCOLS: readonly Protocol[] = [
  { protocol: IPPROTO_TCP, socketType: SOCK_STREAM, file: 'tcp' },
  { protocol: IPPROTO_UDP, socketType: SOCK_DGRAM, file: 'udp' },
  { protocol: IPPROTO_RAW, socketType: SOCK_RAW, file: 'raw' },
]
const FAMILIES = [AF_INET, AF_INET6]

/** A namespace, by a process that is in it. */
interface Namespace {
  readonly pid: number
  readonly inode: number
}

/** Who has a socket: of several the process with the lowest pid. */
interface Owner {
  readonly pid: number
  readonly fd: number
}

type Found = Omit<ListedSocket, 'cookie'> & { readonly cookie: bigint }

/** A record for each socket of a process, at most so many. */
export function* findSockets(by: FinderName, maxSockets: number, timeNs: bigint): Iterable<Uint8Array> {
  const { namespaces, owners } = lookAround()
  let left = maxSockets
  for (const { pid, inode: netNs } of namespaces) {
    for (const protocol of PROTOCOLS) {
      const found: Found[] = []
      const take = (socket: Found): boolean => {
        // What nobody has any more ends without a record.
        if (owners.has(socket.inode)) found.push(socket)
        return found.length < left
      }
      try {
        if (by === 'sock_diag') listSockets(`/proc/${pid}/ns/net`, wantedOf(protocol), take)
        else for (const family of FAMILIES) readFile(pid, protocol, family, take)
      } catch (error) {
        // The process is gone, and perhaps its namespace; or the kernel has no such sockets.
        if (!(error instanceof EbpfError) && (error as NodeJS.ErrnoException).code === undefined) throw error
      }
      for (const socket of found)
        yield recordOf(socket, protocol, netNs, owners.get(socket.inode) as Owner, timeNs)
      left -= found.length
      if (left <= 0) return
    }
  }
}

function wantedOf({ protocol }: Protocol): SocketsWanted[] {
  return FAMILIES.map((family) => ({ family, protocol, states: ALL_STATES }))
}

function recordOf(
  { family, state, local, remote, localPort, remotePort, cookie }: Found,
  { protocol, socketType }: Protocol,
  netNs: number,
  { pid, fd }: Owner,
  timeNs: bigint,
): Uint8Array {
  const phase =
    protocol !== IPPROTO_TCP
      ? PHASE_FOUND
      : state === TCP_LISTEN
        ? PHASE_LISTENING
        : state === TCP_SYN_SENT
          ? PHASE_TRIED
          : PHASE_FOUND
  return encodeRecord(
    foundLayout,
    { cpu: 0, seq: 0, timeNs },
    {
      pid,
      fd,
      netNs,
      cookie,
      startBootNs: 0n,
      sinceNs: 0n,
      family,
      localPort,
      remotePort,
      phase,
      local0: local[0],
      local1: local[1],
      local2: local[2],
      local3: local[3],
      remote0: remote[0],
      remote1: remote[1],
      remote2: remote[2],
      remote3: remote[3],
      protocol,
      socketType,
      state,
      hasBytes: 0,
      sentBytes: 0n,
      receivedBytes: 0n,
    },
  )
}

/** The network namespaces of processes, and who has which socket. */
function lookAround(): { namespaces: Namespace[]; owners: ReadonlyMap<number, Owner> } {
  const namespaces = new Map<number, Namespace>()
  const owners = new Map<number, Owner>()
  let links = 0
  for (const pid of pids()) {
    const inode = namespaceOf(pid)
    if (inode !== undefined && !namespaces.has(inode) && namespaces.size < MAX_NAMESPACES)
      namespaces.set(inode, { pid, inode })
    for (const name of namesIn(`/proc/${pid}/fd`)) {
      links += 1
      if (links > MAX_LINKS) break
      const socket = socketOf(`/proc/${pid}/fd/${name}`)
      if (socket !== undefined && !owners.has(socket)) owners.set(socket, { pid, fd: Number(name) })
    }
  }
  return { namespaces: [...namespaces.values()], owners }
}

function pids(): number[] {
  return namesIn('/proc')
    .flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []))
    .toSorted((a, b) => a - b)
}

/** Nothing of a process that is gone, or of which we may know nothing. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function namespaceOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino
  } catch {
    return undefined
  }
}

function socketOf(path: string): number | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
    return inode === undefined ? undefined : Number(inode)
  } catch {
    return undefined
  }
}

/** Lines of a file of /proc/net, as far as it may be read. */
function* linesOf(path: string): Iterable<string> {
  const file = openSync(path, 'r')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  let rest = ''
  try {
    for (let total = 0; total < MAX_FILE_BYTES;) {
      const length = readSync(file, chunk, 0, CHUNK_BYTES, null)
      if (length === 0) return
      total += length
      const lines = (rest + chunk.toString('latin1', 0, length)).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } finally {
    closeSync(file)
  }
}

/** The sockets of a protocol in the namespace of a process; false when there are enough. */
function readFile(pid: number, { file }: Protocol, family: number, take: (socket: Found) => boolean): void {
  const path = `/proc/${pid}/net/${file}${family === AF_INET6 ? '6' : ''}`
  for (const line of linesOf(path)) {
    const socket = parseSocketLine(line, family)
    if (socket !== undefined && ((1 << socket.state) & NOBODYS) === 0 && !take(socket)) return
  }
}

/** A line of /proc/net/tcp and the like; undefined of the one with the names, and of what is none. */
export function parseSocketLine(line: string, family: number): Found | undefined {
  const fields = line.trim().split(/\s+/)
  const [local, remote] = [endOf(fields[1]), endOf(fields[2])]
  const [state, inode] = [Number.parseInt(fields[3] ?? '', 16), Number(fields[9])]
  if (local === undefined || remote === undefined) return undefined
  if (!Number.isSafeInteger(inode) || inode <= 0 || !Number.isInteger(state)) return undefined
  return {
    family,
    state,
    local: local.words,
    localPort: local.port,
    remote: remote.words,
    remotePort: remote.port,
    // The number of the socket is not there.
    cookie: BigInt(inode) | INODE_BIT,
    inode,
  }
}

/** `0100007F:1F90`: words of the machine, and a port. */
function endOf(text: string | undefined) {
  const match = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(text ?? '')
  if (match === null) return undefined
  const [, address = '', port = ''] = match
  const word = (index: number): number => Number.parseInt(address.slice(8 * index, 8 * index + 8) || '0', 16)
  const words: [number, number, number, number] = [word(0), word(1), word(2), word(3)]
  return { words, port: swap16(Number.parseInt(port, 16)) }
}

/** By what the sockets of a queue are found, by its options: absent where programs walk. */
const finders = new WeakMap<object, FinderName>()

export function finderOf(settings: object): FinderName | undefined {
  return finders.get(settings)
}

const STALE = {
  what: 'openSockets.owner',
  reason:
    'who has a socket that is open at the start is what /proc says: of several processes the one with the lowest pid, and of MPTCP nothing',
}

const UNNUMBERED = {
  what: 'openSockets.end',
  reason: 'sockets that are found in /proc/net have no number by which their end is known as theirs',
}

/** Nothing to read afterwards: `scanSockets` does it. */
function rung(
  name: FinderName,
  hook: string,
  lacks: SourceRung['lacks'],
  settings: object,
  check: () => void,
): SourceRung {
  return {
    by: 'source',
    hook,
    flavor: name === 'proc' ? 'procfs' : 'netlink',
    fills: [],
    ...(lacks === undefined ? {} : { lacks }),
    open: () => {
      check()
      finders.set(settings, name)
      return { read: () => undefined, stop: () => undefined, close: () => undefined }
    },
  }
}

/** The ways to open sockets that need no program, for the options of a queue. */
export function findingRungs(settings: object): SourceRung[] {
  return [
    rung('sock_diag', 'netlink/sock_diag', [STALE], settings, () =>
      listSockets('/proc/self/ns/net', wantedOf(PROTOCOLS[0] as Protocol), () => false),
    ),
    rung('proc', 'proc/net', [STALE, UNNUMBERED], settings, () => {
      try {
        closeSync(openSync('/proc/self/net/tcp', 'r'))
      } catch (cause) {
        throw new QuarkError('ERR_QUARK_SYSTEM', 'Cannot read /proc/self/net/tcp: mount procfs at /proc', {
          cause,
        })
      }
    }),
  ]
}
