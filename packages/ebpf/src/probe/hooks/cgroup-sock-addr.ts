import type { Elements, Scalar, Value } from '../expr.js'
import { type ArgumentType, type Hook, struct } from './hook.js'
import type { HookType } from './type.js'

/** The system call that passes an address, and whether that is one of IPv4 or IPv6. */
export type CgroupSockAddrPlace = keyof (typeof cgroupSockAddrType)['places']

/** What a program is shown of an address: `struct bpf_sock_addr` (include/uapi/linux/bpf.h). */
export interface SockAddrContext {
  readonly user_family: Scalar
  /** In network order, as are the next ones; only at places of IPv4. */
  readonly user_ip4: Scalar
  /** Only at places of IPv6. */
  readonly user_ip6: Elements<Scalar>
  readonly user_port: Scalar
  readonly family: Scalar
  readonly type: Scalar
  readonly protocol: Scalar
  /** Only at `sendmsg4`. */
  readonly msg_src_ip4: Scalar
  /** Only at `sendmsg6`. */
  readonly msg_src_ip6: Elements<Scalar>
}

/**
 * A system call of a task in the cgroup passes an address, or is about to hand one out: `getpeername` also at an
 * accept(2) that asks for the address. Needs Linux 5.7 (`getpeername`, `getsockname`: 5.8), and 6.10 where the kernel
 * preempts tasks (CONFIG_PREEMPT). `currentTask()` is tried from 6.1 on.
 *
 * @param kernel what the kernel has, such as `struct<Kern>('bpf_sock_addr_kern')`: missing before Linux 6.2
 */
export function cgroupSockAddr(place: CgroupSockAddrPlace): Hook<readonly [ArgumentType<SockAddrContext>]>
export function cgroupSockAddr<K extends Value>(
  place: CgroupSockAddrPlace,
  kernel: ArgumentType<K>,
): Hook<readonly [ArgumentType<SockAddrContext>, ArgumentType<K>]>
export function cgroupSockAddr(place: CgroupSockAddrPlace, kernel?: ArgumentType<Value>): Hook {
  const context = struct<SockAddrContext>('bpf_sock_addr', 'context')
  return {
    kind: 'cgroupSockAddr',
    target: place,
    arguments: kernel === undefined ? [context] : [context, kernel],
  }
}

/** kernel/bpf/cgroup.c: `__cgroup_bpf_run_filter_sock_addr`. 1 allows the call, and 0 makes it fail with EPERM. */
export const cgroupSockAddrType = {
  kind: 'cgroupSockAddr',
  declared: 'cgroupSockAddr(place, kernel?)',
  runs: 'when a system call of a cgroup passes an address',
  programs: { direct: { type: 'BPF_PROG_TYPE_CGROUP_SOCK_ADDR', shownAs: 'cgroup_sock_addr' } },
  places: {
    bind4: { attachType: 'BPF_CGROUP_INET4_BIND', minKernel: '5.7' },
    bind6: { attachType: 'BPF_CGROUP_INET6_BIND', minKernel: '5.7' },
    connect4: { attachType: 'BPF_CGROUP_INET4_CONNECT', minKernel: '5.7' },
    connect6: { attachType: 'BPF_CGROUP_INET6_CONNECT', minKernel: '5.7' },
    sendmsg4: { attachType: 'BPF_CGROUP_UDP4_SENDMSG', minKernel: '5.7' },
    sendmsg6: { attachType: 'BPF_CGROUP_UDP6_SENDMSG', minKernel: '5.7' },
    recvmsg4: { attachType: 'BPF_CGROUP_UDP4_RECVMSG', minKernel: '5.7' },
    recvmsg6: { attachType: 'BPF_CGROUP_UDP6_RECVMSG', minKernel: '5.7' },
    getpeername4: { attachType: 'BPF_CGROUP_INET4_GETPEERNAME', minKernel: '5.8' },
    getpeername6: { attachType: 'BPF_CGROUP_INET6_GETPEERNAME', minKernel: '5.8' },
    getsockname4: { attachType: 'BPF_CGROUP_INET4_GETSOCKNAME', minKernel: '5.8' },
    getsockname6: { attachType: 'BPF_CGROUP_INET6_GETSOCKNAME', minKernel: '5.8' },
  },
  levels: ['task'],
  preemption: 'always',
  exitValue: 1,
  arguments: 'context',
  output: 'ring',
  minKernel: { x64: '5.7', arm64: '5.7' },
} as const satisfies HookType
