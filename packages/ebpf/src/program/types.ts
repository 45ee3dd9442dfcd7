/*
 * Program and attach types with the kernel's own names and numbers (include/uapi/linux/bpf.h): the ones that
 * observe, and those that filter sockets and cgroups.
 */

/** A `BPF_PROG_TYPE_*` number. */
export type ProgramType = number

export const BPF_PROG_TYPE_SOCKET_FILTER = 1
export const BPF_PROG_TYPE_KPROBE = 2
export const BPF_PROG_TYPE_SCHED_CLS = 3
export const BPF_PROG_TYPE_TRACEPOINT = 5
export const BPF_PROG_TYPE_PERF_EVENT = 7
export const BPF_PROG_TYPE_CGROUP_SKB = 8
export const BPF_PROG_TYPE_CGROUP_SOCK = 9
export const BPF_PROG_TYPE_SOCK_OPS = 13
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15
export const BPF_PROG_TYPE_RAW_TRACEPOINT = 17
export const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18
export const BPF_PROG_TYPE_CGROUP_SYSCTL = 23
export const BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE = 24
export const BPF_PROG_TYPE_CGROUP_SOCKOPT = 25
export const BPF_PROG_TYPE_TRACING = 26
export const BPF_PROG_TYPE_LSM = 29
export const BPF_PROG_TYPE_SYSCALL = 31

/** A `BPF_*` attach type number (`enum bpf_attach_type`). */
export type AttachType = number

export const BPF_CGROUP_INET_INGRESS = 0
export const BPF_CGROUP_INET_EGRESS = 1
export const BPF_CGROUP_INET_SOCK_CREATE = 2
export const BPF_CGROUP_SOCK_OPS = 3
export const BPF_CGROUP_DEVICE = 6
export const BPF_CGROUP_INET4_BIND = 8
export const BPF_CGROUP_INET6_BIND = 9
export const BPF_CGROUP_INET4_CONNECT = 10
export const BPF_CGROUP_INET6_CONNECT = 11
export const BPF_CGROUP_INET4_POST_BIND = 12
export const BPF_CGROUP_INET6_POST_BIND = 13
export const BPF_CGROUP_UDP4_SENDMSG = 14
export const BPF_CGROUP_UDP6_SENDMSG = 15
export const BPF_CGROUP_SYSCTL = 18
export const BPF_CGROUP_UDP4_RECVMSG = 19
export const BPF_CGROUP_UDP6_RECVMSG = 20
export const BPF_TRACE_RAW_TP = 23
export const BPF_TRACE_FENTRY = 24
export const BPF_TRACE_FEXIT = 25
export const BPF_MODIFY_RETURN = 26
export const BPF_LSM_MAC = 27
export const BPF_TRACE_ITER = 28
export const BPF_PERF_EVENT = 41
export const BPF_CGROUP_INET4_GETPEERNAME = 29
export const BPF_CGROUP_INET6_GETPEERNAME = 30
export const BPF_CGROUP_INET4_GETSOCKNAME = 31
export const BPF_CGROUP_INET6_GETSOCKNAME = 32
export const BPF_CGROUP_INET_SOCK_RELEASE = 34
