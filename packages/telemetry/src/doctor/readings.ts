/** What is read off a machine before anything is concluded from it. */

import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { arch, release } from 'node:os'
import {
  EbpfError,
  FEATURE_NAMES,
  type FeatureName,
  findTracefs,
  permissionFacts,
  probeFeature,
} from 'quark-ebpf'
import type { HookKind } from 'quark-ebpf/probe'
import { BACKEND_NAMES, type BackendName } from '../options/declare.js'
import { openKernelTypes } from '../btf/types.js'
import { checkOptions } from '../options/check.js'
import { BackendError, QuarkError } from '../errors.js'
import type { Fact } from '../facts/fact.js'
import { probesOf } from '../facts/rungs.js'
import { catalogue, kinds } from '../kinds/index.js'
import { Quark } from '../quark.js'
import { type CgroupHierarchy, findCgroupHierarchy } from '../process/procfs/cgroup-mounts.js'
import { hasKernelPids } from '../process/procfs/pids.js'
import type { BackendTrial } from './examination.js'

/** What the kernel calls the namespaces that matter here. */
export const NAMESPACES = ['pid', 'user', 'cgroup', 'time'] as const

/** A fact, and the hooks of each way to learn it. */
export interface FactHooks {
  readonly fact: string
  /** Learnt only when asked for. */
  readonly isOptional: boolean
  readonly ways: readonly (readonly HookKind[])[]
}

/** Whether the kernel lets this process use a feature; `code` is that of the error when it does not. */
export interface FeatureReading {
  readonly feature: FeatureName
  readonly supported: boolean
  readonly minKernel: string
  readonly reason?: string
  readonly code?: string
}

/** The state of a machine, as this process sees it. What cannot be read is undefined. */
export interface Readings {
  readonly kernel: string
  readonly architecture: string
  readonly uid: number
  readonly capEffective: bigint | undefined
  readonly lockdown: string | undefined
  readonly seccomp: number | undefined
  /** RLIMIT_MEMLOCK in bytes. */
  readonly memlockBytes: number | undefined
  readonly types: { readonly source: string; readonly isTable: boolean } | { readonly problem: string }
  /** Inode numbers of the namespaces of this process. */
  readonly namespaces: Readonly<Record<(typeof NAMESPACES)[number], number | undefined>>
  /** Whether the pids in /proc are those that the kernel tells; undefined when it is not mounted. */
  readonly hasKernelPids: boolean | undefined
  readonly hidepid: string | undefined
  readonly cgroups: CgroupHierarchy | undefined
  readonly tracefs: { readonly path: string; readonly isWritable: boolean } | { readonly problem: string }
  readonly features: readonly FeatureReading[]
  readonly facts: readonly FactHooks[]
  readonly trials: readonly BackendTrial[]
}

/** How to look at a machine. */
export interface ExamineOptions {
  /** Also try backends that change settings of the machine for a moment: `audit`. Default false. */
  readonly audit?: boolean
  /** BTF file, as for `Quark.open`. */
  readonly btf?: string
}

/** Backends whose trial others on the machine may notice. */
const ONLY_IF_ASKED: readonly string[] = ['audit']

/**
 * Reads everything, and opens each feature and backend for a moment.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export async function readMachine(options: ExamineOptions): Promise<Readings> {
  const { btf } = checkOptions(catalogue.options, options.btf === undefined ? {} : { btf: options.btf })
  const { capEffective, lockdown, seccomp } = permissionFacts()
  const trials: BackendTrial[] = []
  for (const backend of BACKEND_NAMES) {
    trials.push(
      ONLY_IF_ASKED.includes(backend) && options.audit !== true
        ? {
            backend,
            outcome: 'notTried',
            attached: [],
            missing: [],
            reason: 'it changes the audit rules (--audit tries it)',
          }
        : await tryBackend(backend, btf),
    )
  }
  return {
    kernel: release(),
    architecture: arch(),
    uid: process.geteuid?.() ?? 0,
    capEffective,
    lockdown,
    seccomp,
    memlockBytes: readMemlock(readText('/proc/self/limits') ?? ''),
    types: readTypes(btf),
    namespaces: readNamespaces(),
    hasKernelPids: readText('/proc/stat') === undefined ? undefined : hasKernelPids(),
    hidepid: readHidepid(readText('/proc/self/mounts') ?? ''),
    cgroups: findCgroupHierarchy(),
    tracefs: readTracefs(),
    features: FEATURE_NAMES.map(readFeature),
    facts: factHooks(),
    trials,
  }
}

async function tryBackend(backend: BackendName, btf: string | undefined): Promise<BackendTrial> {
  try {
    await using quark = await Quark.open({ backends: [backend], ...(btf === undefined ? {} : { btf }) })
    const { attached, missing } = quark.capabilities
    return { backend, outcome: 'works', attached, missing }
  } catch (error) {
    if (!(error instanceof QuarkError || error instanceof EbpfError)) throw error
    const [failure] = error instanceof BackendError ? error.failures : []
    return { backend, outcome: 'fails', attached: [], missing: [], reason: (failure?.error ?? error).message }
  }
}

function readFeature(name: FeatureName): FeatureReading {
  const { feature, supported, minKernel, reason } = probeFeature(name)
  if (reason === undefined) return { feature, supported, minKernel }
  const code = reason instanceof EbpfError ? { code: reason.code } : {}
  return { feature, supported, minKernel, reason: reason.message, ...code }
}

function factHooks(): FactHooks[] {
  const factsOf = (options: { threads: boolean; failedExecs: boolean }): Fact[] =>
    kinds.flatMap((kind) =>
      kind.facts({ settings: checkOptions(catalogue.options, options), hierarchy: undefined }),
    )
  const byDefault = new Set(factsOf({ threads: false, failedExecs: false }).map(({ name }) => name))
  return factsOf({ threads: true, failedExecs: true }).map(({ name, rungs }) => ({
    fact: name,
    isOptional: !byDefault.has(name),
    ways: probesOf(rungs).map((probes) => [...new Set(probes.map(({ hook }) => hook.kind))]),
  }))
}

function readTypes(path: string | undefined): Readings['types'] {
  try {
    const { source, isTable } = openKernelTypes(path)
    return { source, isTable }
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
    return { problem: error.message }
  }
}

/** The soft limit in a line of proc_pid_limits(5): `Max locked memory  8388608  8388608  bytes`. */
export function readMemlock(limits: string): number | undefined {
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1]
  if (soft === undefined) return undefined
  return soft === 'unlimited' ? Infinity : Number(soft)
}

/** The `hidepid` of the last mount on /proc; undefined when it has none, or the one that hides nothing. */
export function readHidepid(mounts: string): string | undefined {
  const options = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .findLast(([, point, type]) => point === '/proc' && type === 'proc')?.[3]
  const value = options
    ?.split(',')
    .find((option) => option.startsWith('hidepid='))
    ?.slice('hidepid='.length)
  return value === 'off' || value === '0' ? undefined : value
}

function readNamespaces(): Readings['namespaces'] {
  const inode = (kind: string): number | undefined => {
    try {
      return statSync(`/proc/self/ns/${kind}`).ino
    } catch {
      return undefined
    }
  }
  return { pid: inode('pid'), user: inode('user'), cgroup: inode('cgroup'), time: inode('time') }
}

function readTracefs(): Readings['tracefs'] {
  let path: string
  try {
    path = findTracefs()
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
    return { problem: error.message }
  }
  try {
    accessSync(`${path}/kprobe_events`, constants.W_OK)
    return { path, isWritable: true }
  } catch {
    return { path, isWritable: false }
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
