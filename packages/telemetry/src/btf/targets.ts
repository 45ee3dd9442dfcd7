/** Offsets of kernel structure members by dotted names, as the quark-btf command prints them. */

import type { Btf } from 'quark-ebpf'

/** A name to look up, and names that other kernels have for the same thing. */
export interface BtfTarget {
  readonly name: string
  readonly alternatives: readonly string[]
}

/** Names in older or newer kernels. */
const ALTERNATIVES: Readonly<Record<string, readonly string[]>> = {
  'task_struct.start_boottime': ['task_struct.real_start_time'],
  'uts_namespace.proc_inum': ['uts_namespace.ns.inum'],
  'ipc_namespace.proc_inum': ['ipc_namespace.ns.inum'],
  'mnt_namespace.proc_inum': ['mnt_namespace.ns.inum'],
  'net_namespace.proc_inum': ['net.ns.inum', 'net.proc_inum'],
}

// oxfmt-ignore
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  cred: [
    'cap_ambient', 'cap_bset', 'cap_effective', 'cap_inheritable', 'cap_permitted', 'egid', 'euid', 'gid', 'sgid',
    'suid', 'uid',
  ],
  dentry: ['d_name.name', 'd_parent'],
  fs_struct: ['pwd.dentry', 'pwd.mnt', 'root.dentry'],
  ipc_namespace: ['proc_inum'],
  mm_struct: ['start_stack'],
  mnt_namespace: ['proc_inum'],
  mount: ['mnt', 'mnt_mountpoint'],
  net_namespace: ['proc_inum'],
  nsproxy: ['ipc_ns', 'mnt_ns', 'net_ns', 'uts_ns'],
  pid: ['numbers'],
  pid_type: ['PIDTYPE_PGID', 'PIDTYPE_SID'],
  signal_struct: ['pids', 'tty'],
  task_struct: [
    'comm', 'cred', 'exit_code', 'fs', 'group_leader', 'mm', 'nsproxy', 'pid', 'pids', 'real_parent',
    'start_boottime', 'signal', 'tgid',
  ],
  tty_driver: ['major', 'minor_start'],
  tty_struct: ['driver', 'index'],
  upid: ['nr'],
  uts_namespace: ['proc_inum'],
  vfsmount: ['mnt_root'],
}

/** All targets, in the order in which they are printed. */
export const BTF_TARGETS: readonly BtfTarget[] = Object.entries(MEMBERS).flatMap(([type, members]) =>
  members.map((member) => {
    const name = `${type}.${member}`
    return { name, alternatives: ALTERNATIVES[name] ?? [] }
  }),
)

/** A kernel has one of these and not the other: the place of a process's group and session. */
const ONE_OF: readonly string[] = ['signal_struct.pids', 'task_struct.pids']

/**
 * Offset in bytes of a member: `struct.member.member…`, all in place. Members of anonymous structs and unions count as
 * those of the one around them. When it is no such path: the value of an enumerator, `enum.enumerator`.
 *
 * @returns undefined when there is no such thing, or it is a bit-field
 */
export function btfOffset(btf: Btf, dotted: string): number | undefined {
  const [first = '', ...members] = dotted.split('.')
  return (
    memberOffset(btf, first, members) ??
    (members.length === 1 ? btf.enumValue(first, members[0] ?? '') : undefined)
  )
}

function memberOffset(btf: Btf, struct: string, members: readonly string[]): number | undefined {
  let type = btf.findStruct(struct)
  let bits = 0
  for (const name of members) {
    const member = type === undefined ? undefined : btf.member(type, name)
    if (member === undefined || member.bitSize !== 0) return undefined
    bits += member.bitOffset
    type = member.type
  }
  return type === undefined || members.length === 0 || bits % 8 !== 0 ? undefined : bits / 8
}

/** A target as a kernel has it. */
export interface ResolvedTarget extends BtfTarget {
  /** In bytes, or an enumerator's value; undefined when the kernel has it under none of its names. */
  readonly offset: number | undefined
  /** The name that was found. */
  readonly found: string | undefined
}

/** Looks a target up under its name, then under the alternatives. */
export function resolveTarget(btf: Btf, target: BtfTarget): ResolvedTarget {
  for (const found of [target.name, ...target.alternatives]) {
    const offset = btfOffset(btf, found)
    if (offset !== undefined) return { ...target, offset, found }
  }
  return { ...target, offset: undefined, found: undefined }
}

/**
 * Those of the targets that a usable kernel would have. One of `signal_struct.pids` and `task_struct.pids` is always
 * missing, and is not listed when it is the only one.
 */
export function missingTargets(targets: readonly ResolvedTarget[]): readonly ResolvedTarget[] {
  const missing = targets.filter(({ offset }) => offset === undefined)
  const [first, ...others] = missing
  return first !== undefined && others.length === 0 && ONE_OF.includes(first.name) ? [] : missing
}
