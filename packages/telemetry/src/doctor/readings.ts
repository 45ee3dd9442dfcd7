/** Reads the state of a machine, without conclusions. */

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
import { BackendError, QuarkError } from '../errors.js'
import type { AttachedFact, Fact, MachineLoss, MissingFact } from '../facts/fact.js'
import { type CgroupHierarchy, findCgroupHierarchy } from '../process/procfs/cgroup-mounts.js'
import { hasKernelPids } from '../process/procfs/pids.js'
import type { BackendTrial } from './examination.js'

/** The kernel's names of the namespaces that matter here. */
export const NAMESPACES = ['pid', 'user', 'cgroup', 'time'] as const

/** The parts of a fact that depend on the machine. */
export interface FactReading {
  readonly fact: string
  /** Learnt only if an option asks for it. */
  readonly isOptional: boolean
  /** The hooks of each way to learn it through programs; none for a way that needs no hooks. */
  readonly ways: readonly (readonly HookKind[])[]
  readonly losses: readonly MachineLoss[]
}

/** Takes from a fact what depends on the machine. */
export function readFact({ name, rungs, losses = [] }: Fact, isOptional: boolean): FactReading {
  const ways = rungs.flatMap((rung): HookKind[][] => {
    if (rung.by === 'ebpf') return [[...new Set(rung.probes.map(({ hook }) => hook.kind))]]
    return rung.by === 'source' ? [[]] : []
  })
  return { fact: name, isOptional, ways, losses }
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
  /** Whether the pids in /proc are those that the kernel reports; undefined when it is not mounted. */
  readonly hasKernelPids: boolean | undefined
  readonly hidepid: string | undefined
  readonly cgroups: CgroupHierarchy | undefined
  readonly tracefs: { readonly path: string; readonly isWritable: boolean } | { readonly problem: string }
  readonly features: readonly FeatureReading[]
  readonly facts: readonly FactReading[]
  readonly trials: readonly BackendTrial[]
}

/** The subject of an examination: what is tried, and how a queue is opened. */
export interface Subject {
  /** BTF file; the running kernel's own when absent. */
  readonly btf: string | undefined
  /** Also try backends that change settings of the machine for a moment. */
  readonly withAudit: boolean
  readonly facts: readonly FactReading[]
  /** Opens a queue with one backend. */
  open(backend: BackendName): Promise<OpenQueue>
}

/** The parts of a queue that are examined. */
export interface OpenQueue extends AsyncDisposable {
  readonly capabilities: {
    readonly attached: readonly AttachedFact[]
    readonly missing: readonly MissingFact[]
  }
}

/** Backends whose trial others on the machine may notice. */
const ONLY_IF_ASKED: readonly string[] = ['audit']

/**
 * Reads everything, and opens each feature and backend for a moment.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export async function readMachine(subject: Subject): Promise<Readings> {
  const { btf, facts } = subject
  const { capEffective, lockdown, seccomp } = permissionFacts()
  const trials: BackendTrial[] = []
  for (const backend of BACKEND_NAMES) {
    trials.push(
      ONLY_IF_ASKED.includes(backend) && !subject.withAudit
        ? {
            backend,
            outcome: 'notTried',
            attached: [],
            missing: [],
            reason: 'it changes the audit rules (--audit tries it)',
          }
        : await tryBackend(backend, subject),
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
    facts,
    trials,
  }
}

async function tryBackend(backend: BackendName, subject: Subject): Promise<BackendTrial> {
  try {
    await using quark = await subject.open(backend)
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
