/** Where sockets can be watched, for tests. */

import { readFileSync } from 'node:fs'
import { EbpfError, kernelAtLeast, kernelPreempts, listSockets } from 'quark-ebpf'
import { AF_INET } from '../records.js'

/**
 * Since 5.12 programs at tracepoints get the number of a socket. Before 6.2 a lockdown keeps them from reading most of it,
 * and before 6.10 a kernel that preempts tasks takes no others.
 */
const canWatch = kernelAtLeast('6.10') || (kernelAtLeast('5.12') && !kernelPreempts() && !isConfidential())

export const LIMIT = {
  timeout: 300_000,
  skip: canWatch ? false : 'this kernel lets no program have the cookies of sockets',
}

/** Of connections of TCP programs also know the sockets by their addresses. */
export const TCP_LIMIT = {
  timeout: LIMIT.timeout,
  skip: !(kernelAtLeast('6.10') || (kernelAtLeast('5.10') && !isConfidential())),
}

/** A lockdown keeps programs from reading. */
export function isConfidential(): boolean {
  try {
    return readFileSync('/sys/kernel/security/lockdown', 'latin1').includes('[confidentiality]')
  } catch {
    return false
  }
}

const IPPROTO_TCP = 6
const TCP_LISTEN = 10

/** Why the kernel lists no sockets by netlink: `tcp_diag` is neither in it nor a module that it can load. */
export function whyNoDiag(): string | undefined {
  const wanted = [{ family: AF_INET, protocol: IPPROTO_TCP, states: 1 << TCP_LISTEN }]
  try {
    listSockets('/proc/self/ns/net', wanted, () => false)
    return undefined
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
    return error.message
  }
}
