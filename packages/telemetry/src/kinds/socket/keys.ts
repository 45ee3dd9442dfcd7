/** By what programs of different hooks know the same socket. */

import { and, containerOf, firstNonZero, or, type Scalar, socketCookie } from 'quark-ebpf/probe'
import type { Sock, SocketAlloc } from './kernel-types.js'

/** Makes the keys of sockets in maps. All programs of a queue use the same. */
export interface SocketKeys {
  /** For programs to which the kernel vouches for the type of their argument. */
  of(sk: Sock): Scalar
  /** For programs of kprobes: 0 if no other program has asked for the number of the socket yet. */
  ofUntyped(sk: Sock): Scalar
  /** For programs of functions, which get the sockets of processes by other things: 0 of none. */
  ofUser(sk: Sock): Scalar
  /** For iterators, to which the kernel gives the part that all sorts of sockets have. */
  ofCommon(common: Sock['__sk_common']): Scalar
  /** What records call the socket of a key. */
  idOf(key: Scalar): Scalar
  /** Whether programs of cgroups, and of functions whose arguments have types, can make the same keys. */
  readonly isForAll: boolean
}

/** The numbers of sockets, which are unique for the lifetime of the kernel. Needs Linux 5.12. */
export const COOKIES: SocketKeys = {
  of: (sk) => socketCookie(sk),
  ofUntyped: (sk) => sk.__sk_common.skc_cookie.counter,
  ofUser: (sk) => firstNonZero(sk.__sk_common.skc_cookie.counter, inodeOf(sk)),
  ofCommon: ({ skc_cookie }) => skc_cookie.counter,
  idOf: (key) => key,
  isForAll: true,
}

/** What of an address goes into records: enough to tell sockets of a time apart. */
const ADDRESS_MASK = 0xf_ffff_ffffn

/** Their addresses, which other sockets get after them: what is kept of a socket is removed with its end. */
export const ADDRESSES: SocketKeys = {
  of: addressOf,
  ofUntyped: addressOf,
  // Inodes have numbers that are not used again soon.
  ofUser: inodeOf,
  // It is the first member.
  ofCommon: addressOf,
  idOf: (key) => and(key, ADDRESS_MASK),
  isForAll: false,
}

/** A pointer to a structure is a number, too. */
function addressOf(sk: Sock | Sock['__sk_common']): Scalar {
  return sk as unknown as Scalar
}

/** Distinguishes the number of an inode from a cookie, and from what records have of an address. */
const INODE_BIT = 0x100_0000_0000n

function inodeOf(sk: Sock): Scalar {
  return or(INODE_BIT, containerOf<SocketAlloc>('socket_alloc', 'socket', sk.sk_socket).vfs_inode.i_ino)
}
