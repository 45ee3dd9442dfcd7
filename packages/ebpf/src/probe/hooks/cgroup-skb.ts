import type { Elements, Scalar, Value } from '../expr.js'
import { type ArgumentType, type Hook, struct } from './hook.js'
import type { HookType } from './type.js'

/** Which way a packet goes, seen from the sockets of the cgroup. */
export type CgroupSkbPlace = keyof (typeof cgroupSkbType)['places']

/** What a program is shown of a packet: `struct __sk_buff` (include/uapi/linux/bpf.h). Ports: see there. */
export interface SkbContext {
  readonly len: Scalar
  readonly pkt_type: Scalar
  readonly mark: Scalar
  /** As it is in the packet: in network order. */
  readonly protocol: Scalar
  readonly priority: Scalar
  readonly ingress_ifindex: Scalar
  readonly ifindex: Scalar
  readonly hash: Scalar
  readonly family: Scalar
  readonly remote_ip4: Scalar
  readonly local_ip4: Scalar
  readonly remote_ip6: Elements<Scalar>
  readonly local_ip6: Elements<Scalar>
  readonly remote_port: Scalar
  readonly local_port: Scalar
  /** Packets that it will be cut into; 0 for one. Linux 5.1. */
  readonly gso_segs: Scalar
}

/**
 * A packet that a socket of the cgroup sends or is about to receive; its bytes, from the network header on, are
 * `packet(…)`. Only what is sent runs in the task of the sender, and not even that always. Needs Linux 5.7, and 6.10
 * where the kernel preempts tasks (CONFIG_PREEMPT). `currentTask()` is tried from 6.1 on.
 *
 * @param kernel the packet as the kernel has it, such as `struct<Skb>('sk_buff')`: missing before Linux 6.2
 */
export function cgroupSkb(place: CgroupSkbPlace): Hook<readonly [ArgumentType<SkbContext>]>
export function cgroupSkb<K extends Value>(
  place: CgroupSkbPlace,
  kernel: ArgumentType<K>,
): Hook<readonly [ArgumentType<SkbContext>, ArgumentType<K>]>
export function cgroupSkb(place: CgroupSkbPlace, kernel?: ArgumentType<Value>): Hook {
  const context = struct<SkbContext>('__sk_buff', 'context')
  return { kind: 'cgroupSkb', target: place, arguments: kernel === undefined ? [context] : [context, kernel] }
}

/** kernel/bpf/cgroup.c: `__cgroup_bpf_run_filter_skb`. 1 lets the packet pass, and 0 drops it. */
export const cgroupSkbType = {
  kind: 'cgroupSkb',
  declared: 'cgroupSkb(place, kernel?)',
  runs: 'for each packet of the sockets of a cgroup',
  programs: { direct: { type: 'BPF_PROG_TYPE_CGROUP_SKB', shownAs: 'cgroup_skb' } },
  places: {
    ingress: { attachType: 'BPF_CGROUP_INET_INGRESS', minKernel: '5.7' },
    egress: { attachType: 'BPF_CGROUP_INET_EGRESS', minKernel: '5.7' },
  },
  levels: ['task', 'softirq'],
  preemption: 'always',
  exitValue: 1,
  arguments: 'context',
  output: 'ring',
  minKernel: { x64: '5.7', arm64: '5.7' },
} as const satisfies HookType
