import type { Elements, Scalar, Value } from '../expr.js'
import { type ArgumentType, type Hook, struct } from './hook.js'
import type { HookType } from './type.js'

/** What happens to a socket: it was made, has got a port, or is closed for good. */
export type CgroupSockPlace = keyof (typeof cgroupSockType)['places']

/** What a program is shown of a socket: `struct bpf_sock` (include/uapi/linux/bpf.h). */
export interface SockContext {
  readonly bound_dev_if: Scalar
  readonly family: Scalar
  readonly type: Scalar
  readonly protocol: Scalar
  readonly mark: Scalar
  readonly priority: Scalar
  /** Of the connection, as in include/net/tcp_states.h. */
  readonly state: Scalar
  /** Of the peer, in network order; 0 where there is none. */
  readonly dst_port: Scalar
  /** In network order; only where a port was got. */
  readonly src_ip4: Scalar
  readonly src_ip6: Elements<Scalar>
  /** Only where a port was got. */
  readonly src_port: Scalar
}

/**
 * A socket of the cgroup is created, got a port, or is released by its last closer, in the task that does so. Needs
 * Linux 5.7 (`release`: 5.9), and 6.10 where the kernel preempts tasks (CONFIG_PREEMPT). `currentTask()` is tried from
 * 6.1 on.
 *
 * @param kernel the socket as the kernel has it, such as `struct<Sock>('sock')`: missing before Linux 6.2
 */
export function cgroupSock(place: CgroupSockPlace): Hook<readonly [ArgumentType<SockContext>]>
export function cgroupSock<K extends Value>(
  place: CgroupSockPlace,
  kernel: ArgumentType<K>,
): Hook<readonly [ArgumentType<SockContext>, ArgumentType<K>]>
export function cgroupSock(place: CgroupSockPlace, kernel?: ArgumentType<Value>): Hook {
  const context = struct<SockContext>('bpf_sock', 'context')
  return {
    kind: 'cgroupSock',
    target: place,
    arguments: kernel === undefined ? [context] : [context, kernel],
  }
}

/** kernel/bpf/cgroup.c: `__cgroup_bpf_run_filter_sk`. 1 allows it, and 0 makes the call fail with EPERM. */
export const cgroupSockType = {
  kind: 'cgroupSock',
  declared: 'cgroupSock(place, kernel?)',
  runs: 'when a socket of a cgroup is created, bound or released',
  programs: { direct: { type: 'BPF_PROG_TYPE_CGROUP_SOCK', shownAs: 'cgroup_sock' } },
  places: {
    create: { attachType: 'BPF_CGROUP_INET_SOCK_CREATE', minKernel: '5.7' },
    postBind4: { attachType: 'BPF_CGROUP_INET4_POST_BIND', minKernel: '5.7' },
    postBind6: { attachType: 'BPF_CGROUP_INET6_POST_BIND', minKernel: '5.7' },
    release: { attachType: 'BPF_CGROUP_INET_SOCK_RELEASE', minKernel: '5.9' },
  },
  levels: ['task'],
  preemption: 'always',
  exitValue: 1,
  arguments: 'context',
  output: 'ring',
  minKernel: { x64: '5.7', arm64: '5.7' },
} as const satisfies HookType
