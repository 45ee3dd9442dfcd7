/** Findings about everything that is read, as opposed to tried. */

import { type FeatureName, hookFeatures, kernelAtLeast, parseKernelVersion } from 'quark-ebpf'
import type { HookKind } from 'quark-ebpf/probe'
import type { MachinePart } from '../facts/fact.js'
import type { Finding, Topic, Verdict } from './examination.js'
import { type FactReading, NAMESPACES, type Readings } from './readings.js'

/** Inode numbers of the first namespace of each kind (include/linux/proc_ns.h). */
const INITIAL = { time: 0xefff_fffa, cgroup: 0xefff_fffb, pid: 0xefff_fffc, user: 0xefff_fffd } as const

const CAP_NET_ADMIN = 12
const CAP_SYS_PTRACE = 19
const CAP_SYS_ADMIN = 21
const CAP_SYS_RESOURCE = 24
const CAP_PERFMON = 38
const CAP_BPF = 39

/** Features of the kernel for which a process needs CAP_NET_ADMIN. */
const OF_NET_ADMIN: readonly FeatureName[] = ['procConnector', 'cgroupLink']

/** What a hook is attached to, in words that can follow "where". */
const HOOKED: Readonly<Partial<Record<HookKind, string>>> = {
  tracepoint: 'tracepoints',
  fentry: 'functions',
  fexit: 'functions',
  kprobe: 'functions',
  kretprobe: 'functions',
}

/** What is lost of all facts without a part of the machine. */
function lossesOf({ facts }: Pick<Readings, 'facts'>, part: MachinePart): string[] {
  const losses = facts.flatMap((fact) => fact.losses.filter(({ without }) => without === part))
  return [...new Set(losses.flatMap(({ costs }) => costs))]
}

/** What is lost outside the initial namespace of a kind, and how to avoid it in a container. */
function namespaceRest(kind: (typeof NAMESPACES)[number], readings: Readings): Rest {
  switch (kind) {
    case 'pid': {
      const losses = lossesOf(readings, 'procPids')
      const why = 'since their pids are others than those of events'
      return {
        costs: [...losses.map((loss) => `${loss}, ${why}`), 'the proc connector'],
        fix: PID_FIX,
      }
    }
    case 'user':
      return {
        costs: ['capabilities do not count outside of it: the kernel refuses eBPF'],
        fix: 'docker run --userns=host …',
      }
    case 'cgroup':
      return { costs: lossesOf(readings, 'cgroupRoot'), fix: 'docker run --cgroupns=host …' }
    case 'time':
      return { costs: lossesOf(readings, 'bootTime'), fix: 'run it outside of unshare --time' }
  }
}

const PID_FIX = 'docker run --pid=host …'

/** What to do about lockdown. */
export const UNLOCK = 'boot without lockdown=confidentiality on the command line of the kernel'

interface Rest {
  readonly costs?: readonly string[]
  readonly fix?: string
}

function finding(topic: Topic, name: string, verdict: Verdict, found: string, rest: Rest = {}): Finding {
  return {
    topic,
    name,
    verdict,
    found,
    costs: rest.costs ?? [],
    ...(rest.fix === undefined ? {} : { fix: rest.fix }),
  }
}

/** Kernel, architecture and where the kernel's types come from. */
export function judgeMachine({ kernel, architecture, types }: Readings): Finding[] {
  const known = architecture === 'x64' || architecture === 'arm64'
  return [
    finding('machine', 'kernel', 'note', `Linux ${kernel}`),
    finding(
      'machine',
      'architecture',
      known ? 'ok' : 'problem',
      architecture,
      known ? {} : { costs: ['every event'] },
    ),
    judgeTypes(types),
  ]
}

const MAKE_BTF = 'pahole --btf_encode_detached=FILE vmlinux && quark-mon --btf FILE'

function judgeTypes(types: Readings['types']): Finding {
  if ('problem' in types) {
    return finding('machine', 'types', 'absent', types.problem, {
      costs: ['the ebpf backend', 'the kprobe backend'],
      fix: MAKE_BTF,
    })
  }
  return types.isTable
    ? finding('machine', 'types', 'absent', `offsets from ${types.source}`, {
        costs: ['the ebpf backend'],
        fix: MAKE_BTF,
      })
    : finding('machine', 'types', 'ok', `BTF from ${types.source}`)
}

/** Names of the capabilities that a default run needs and this process lacks. */
export function missingCapabilities({
  capEffective,
  kernel,
}: Pick<Readings, 'capEffective' | 'kernel'>): string[] {
  if (capEffective === undefined) return []
  const has = (bit: number): boolean => (capEffective & (1n << BigInt(bit))) !== 0n
  const isAdmin = has(CAP_SYS_ADMIN)
  const wanted: [string, boolean][] = isSince('5.8', kernel)
    ? [
        ['CAP_BPF', has(CAP_BPF) || isAdmin],
        ['CAP_PERFMON', has(CAP_PERFMON) || isAdmin],
      ]
    : [['CAP_SYS_ADMIN', isAdmin]]
  wanted.push(['CAP_NET_ADMIN', has(CAP_NET_ADMIN)], ['CAP_SYS_PTRACE', has(CAP_SYS_PTRACE)])
  return wanted.flatMap(([name, isThere]) => (isThere ? [] : [name]))
}

/** Whether the kernel may refuse a trial for want of capabilities alone. */
export function lacksRights(readings: Pick<Readings, 'capEffective' | 'kernel'>): boolean {
  return missingCapabilities(readings).some((name) => name !== 'CAP_SYS_PTRACE')
}

/** Capabilities, lockdown, seccomp and locked memory. */
export function judgeRights(readings: Readings): Finding[] {
  return [
    judgeCapabilities(readings),
    judgeLockdown(readings),
    judgeSeccomp(readings),
    judgeMemlock(readings),
  ]
}

const CAPABILITY_COSTS: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN: 'every event',
  CAP_BPF: 'every event',
  CAP_PERFMON: 'every event',
}

function costsOfCapability(name: string, readings: Readings): readonly string[] {
  if (name === 'CAP_NET_ADMIN') return readings.facts.flatMap(costWithoutNetAdmin)
  if (name === 'CAP_SYS_PTRACE') return lossesOf(readings, 'procMemory')
  return [CAPABILITY_COSTS[name] ?? []].flat()
}

/** A fact is lost if no way before the one that needs the capability works. */
function costWithoutNetAdmin({ fact, isOptional, ways }: FactReading): string[] {
  const needsIt = (hooks: readonly HookKind[]): boolean =>
    hooks.some((hook) => hookFeatures(hook).some((feature) => OF_NET_ADMIN.includes(feature)))
  const at = ways.findIndex(needsIt)
  if (isOptional || at === -1) return []
  const hooked = new Set(ways.slice(0, at).flatMap((hooks) => hooks.map((hook) => HOOKED[hook] ?? hook)))
  return [hooked.size === 0 ? fact : `${fact} where ${[...hooked].join(' and ')} cannot be hooked`]
}

function judgeCapabilities(readings: Readings): Finding {
  const { uid, capEffective } = readings
  const who = uid === 0 ? 'root' : `user ${uid}`
  if (capEffective === undefined) {
    return finding('rights', 'capabilities', 'unknown', `${who}; /proc/self/status has no such line`)
  }
  const missing = missingCapabilities(readings)
  if (missing.length === 0) return finding('rights', 'capabilities', 'ok', `${who}, with all that are needed`)
  return finding('rights', 'capabilities', 'problem', `${who}, without ${missing.join(', ')}`, {
    costs: [...new Set(missing.flatMap((name) => costsOfCapability(name, readings)))],
    fix:
      uid === 0 ? `docker run ${missing.map((name) => `--cap-add=${name}`).join(' ')} …` : 'sudo quark-mon',
  })
}

function judgeLockdown({ lockdown }: Readings): Finding {
  if (lockdown === undefined) {
    return finding('rights', 'lockdown', 'unknown', '/sys/kernel/security/lockdown cannot be read', {
      fix: 'mount -t securityfs securityfs /sys/kernel/security',
    })
  }
  if (lockdown !== 'confidentiality') return finding('rights', 'lockdown', 'ok', lockdown)
  return finding('rights', 'lockdown', 'absent', lockdown, {
    costs: ['programs that copy kernel memory', 'kprobes', 'the kprobe backend'],
    fix: UNLOCK,
  })
}

function judgeSeccomp({ seccomp }: Readings): Finding {
  if (seccomp === undefined)
    return finding('rights', 'seccomp', 'unknown', '/proc/self/status has no such line')
  if (seccomp === 0) return finding('rights', 'seccomp', 'ok', 'no filter')
  return finding('rights', 'seccomp', 'note', 'a filter is active: it may refuse bpf and perf_event_open', {
    fix: 'docker run --security-opt seccomp=unconfined …',
  })
}

function judgeMemlock({ kernel, memlockBytes, capEffective }: Readings): Finding {
  const name = 'locked memory'
  if (isSince('5.11', kernel))
    return finding('rights', name, 'ok', 'maps are not charged to it since Linux 5.11')
  if (memlockBytes === undefined)
    return finding('rights', name, 'unknown', '/proc/self/limits has no such line')
  if (memlockBytes === Infinity) return finding('rights', name, 'ok', 'unlimited')
  const mayRaise = capEffective !== undefined && (capEffective & (1n << BigInt(CAP_SYS_RESOURCE))) !== 0n
  if (mayRaise) return finding('rights', name, 'ok', `${memlockBytes} bytes, raised when they do not suffice`)
  return finding('rights', name, 'problem', `${memlockBytes} bytes, which may be too few for maps`, {
    costs: ['every event'],
    fix: 'ulimit -l unlimited',
  })
}

/** Whether the namespaces of this process are the first ones. */
export function judgeNamespaces(readings: Readings): Finding[] {
  const { namespaces, hasKernelPids } = readings
  return NAMESPACES.map((kind) => {
    const inode = namespaces[kind]
    if (inode === undefined)
      return finding('namespaces', kind, 'unknown', 'this kernel has none, or /proc does not show it')
    if (inode === INITIAL[kind]) return finding('namespaces', kind, 'ok', 'the initial one')
    if (kind === 'pid' && hasKernelPids === true) {
      const found = `not the initial one: pid:[${inode}]; but /proc is of the initial one`
      return finding('namespaces', kind, 'note', found, { costs: ['the proc connector'], fix: PID_FIX })
    }
    const found = `not the initial one: ${kind}:[${inode}]`
    if (kind === 'cgroup' && readings.cgroups !== undefined && readings.cgroups.isFromNamespace !== true) {
      return finding('namespaces', kind, 'note', `${found}; but its place in the hierarchy is known`)
    }
    return finding('namespaces', kind, 'problem', found, namespaceRest(kind, readings))
  })
}

/** File systems that processes are read from. */
export function judgeFiles(readings: Readings): Finding[] {
  return [judgeProc(readings), judgeHidepid(readings), judgeCgroups(readings), judgeTracefs(readings)]
}

function judgeProc(readings: Readings): Finding {
  const { hasKernelPids, namespaces } = readings
  if (hasKernelPids === true) return finding('files', '/proc', 'ok', 'shows the pids that the kernel reports')
  const isInitial = namespaces.pid === undefined || namespaces.pid === INITIAL.pid
  return finding(
    'files',
    '/proc',
    'problem',
    hasKernelPids === undefined ? 'not mounted' : 'shows the processes of another pid namespace',
    {
      costs: lossesOf(readings, 'procPids'),
      fix: isInitial ? 'mount -t proc proc /proc' : PID_FIX,
    },
  )
}

function judgeHidepid(readings: Readings): Finding {
  const { hidepid, uid, capEffective } = readings
  const name = 'hidepid'
  if (hidepid === undefined) return finding('files', name, 'ok', 'off')
  const seesAll = ((capEffective ?? 0n) & (1n << BigInt(CAP_SYS_PTRACE))) !== 0n
  if (seesAll || (uid === 0 && capEffective === undefined)) {
    return finding('files', name, 'ok', `${hidepid}, which does not hide anything from this process`)
  }
  return finding('files', name, 'problem', `${hidepid}: processes of other users are hidden`, {
    costs: lossesOf(readings, 'procOfOthers'),
    fix: 'mount -o remount,hidepid=0 /proc',
  })
}

function judgeCgroups(readings: Readings): Finding {
  const { cgroups } = readings
  if (cgroups === undefined) {
    return finding('files', 'cgroups', 'problem', 'neither v2 nor v1 with pids is mounted', {
      costs: lossesOf(readings, 'cgroups'),
      fix: 'mount -t cgroup2 none /sys/fs/cgroup',
    })
  }
  const { kind, mountPoint } = cgroups
  return finding('files', 'cgroups', 'ok', `${kind === 'unified' ? 'v2' : 'v1 (pids)'} at ${mountPoint}`)
}

function judgeTracefs({ tracefs, uid, lockdown }: Readings): Finding {
  const costs = ['the kprobe backend']
  if ('problem' in tracefs) {
    const fix = lockdown === 'confidentiality' ? UNLOCK : 'mount -t tracefs tracefs /sys/kernel/tracing'
    // Others than root may not even look into it.
    return finding('files', 'tracefs', uid === 0 ? 'absent' : 'unknown', tracefs.problem, { costs, fix })
  }
  if (tracefs.isWritable) return finding('files', 'tracefs', 'ok', `at ${tracefs.path}`)
  return finding('files', 'tracefs', 'absent', `at ${tracefs.path}, where kprobe_events cannot be written`, {
    costs,
    fix: `mount -o remount,rw ${tracefs.path}`,
  })
}

/** A release that is no number, as a vendor may have, is taken for a new one. */
function isSince(version: string, kernel: string): boolean {
  try {
    return kernelAtLeast(version, parseKernelVersion(kernel))
  } catch (error) {
    if (error instanceof RangeError) return true
    throw error
  }
}
