import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { openCgroupRoot } from '../attach/cgroup-root.js'
import { attachCgroup } from '../attach/cgroup.js'
import { attachKprobe, attachTracepoint } from '../attach/perf-event.js'
import { openProcConnector } from '../attach/proc-connector.js'
import { attachSocketFilter } from '../attach/socket-filter.js'
import { attachRawTracepoint, attachTracing } from '../attach/raw-tracepoint.js'
import { IteratorLink } from '../attach/iterator.js'
import { kernelBtf } from './btf.js'
import { BtfError, EbpfError } from '../errors.js'
import { VerifierError } from '../sys/errors.js'
import { BpfMap } from '../map/map.js'
import { Program, type ProgramSpec } from '../program/program.js'
import * as types from '../program/types.js'
import { bpf, BPF_MAP_LOOKUP_BATCH, BpfAttr } from '../sys/bpf.js'
import { pageSizeBytes } from '../sys/libc.js'
import { isTransient, kernelError } from '../sys/permission.js'

/** What `probeFeature` found. */
export interface FeatureResult {
  readonly feature: FeatureName
  readonly supported: boolean
  /** First mainline release that has it on this architecture; vendors may have ported it back. */
  readonly minKernel: string
  /** Why the trial failed, when `supported` is false. */
  readonly reason?: Error
}

/** How to detect a feature: `attempt` uses it, and throws if the kernel refuses. */
interface Trial {
  readonly minKernel: string
  readonly attempt: () => void
}

/** Numbers of BPF helpers (include/uapi/linux/bpf.h). */
const PROBE_READ_KERNEL = 113
const KTIME_GET_BOOT_NS = 125
const GET_CURRENT_TASK_BTF = 158
const BPF_LOOP = 181

/** A function that exists to be hooked by tests: the kernel calls it only in BPF_PROG_TEST_RUN. */
const HOOKABLE_FUNCTION = 'bpf_fentry_test1'

const TRIALS = {
  rawTracepoint: { minKernel: '4.17', attempt: tryRawTracepoint },
  tpBtf: { minKernel: '5.5', attempt: tryTpBtf },
  fentry: { minKernel: functionHooksSince('5.5'), attempt: () => tryFunctionHook(types.BPF_TRACE_FENTRY) },
  fexit: { minKernel: functionHooksSince('5.5'), attempt: () => tryFunctionHook(types.BPF_TRACE_FEXIT) },
  lsm: { minKernel: functionHooksSince('5.7'), attempt: tryLsm },
  kprobe: { minKernel: '4.17', attempt: () => tryKprobe(false) },
  kretprobe: { minKernel: '4.17', attempt: () => tryKprobe(true) },
  tracepoint: { minKernel: '4.7', attempt: tryTracepoint },
  ringbuf: { minKernel: '5.8', attempt: tryRingbuf },
  mmapableArray: { minKernel: '5.5', attempt: tryMmapableArray },
  batchOperations: { minKernel: '5.6', attempt: tryBatchOperations },
  probeReadKernel: { minKernel: '5.5', attempt: () => tryHelper(PROBE_READ_KERNEL) },
  ktimeGetBootNs: { minKernel: '5.8', attempt: () => tryHelper(KTIME_GET_BOOT_NS) },
  getCurrentTaskBtf: { minKernel: '5.11', attempt: () => tryHelper(GET_CURRENT_TASK_BTF) },
  bpfLoop: { minKernel: '5.17', attempt: () => tryHelper(BPF_LOOP) },
  cgroupLink: {
    minKernel: '5.7',
    attempt: () => tryCgroup(types.BPF_PROG_TYPE_CGROUP_SKB, types.BPF_CGROUP_INET_EGRESS),
  },
  cgroupSock: {
    minKernel: '5.7',
    attempt: () => tryCgroup(types.BPF_PROG_TYPE_CGROUP_SOCK, types.BPF_CGROUP_INET_SOCK_CREATE),
  },
  cgroupSockAddr: {
    minKernel: '5.7',
    attempt: () => tryCgroup(types.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, types.BPF_CGROUP_INET4_CONNECT),
  },
  iterator: { minKernel: '5.8', attempt: tryIterator },
  socketFilter: { minKernel: '3.19', attempt: trySocketFilter },
  procConnector: { minKernel: '2.6', attempt: tryProcConnector },
} as const satisfies Record<string, Trial>

/** The features that `probeFeature` can detect. */
export type FeatureName = keyof typeof TRIALS

/** Every name that `probeFeature` knows. */
export const FEATURE_NAMES = Object.keys(TRIALS) as readonly FeatureName[]

const results = new Map<FeatureName, FeatureResult>()

/**
 * Whether the running kernel lets this process use a feature, detected by using it for a moment: hooks are attached
 * too, since many kernels load programs that they then cannot attach. The result is cached, unless it was
 * want of memory or descriptors.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export function probeFeature(feature: FeatureName): FeatureResult {
  let result = results.get(feature)
  if (result === undefined) {
    result = attempt(feature, TRIALS[feature])
    // What failed for want of room may work the next time.
    if (!isTransient(result.reason)) results.set(feature, result)
  }
  return result
}

function attempt(feature: FeatureName, trial: Trial): FeatureResult {
  const { minKernel } = trial
  try {
    trial.attempt()
    return { feature, supported: true, minKernel }
  } catch (error) {
    if (error instanceof EbpfError && error.code !== 'ERR_EBPF_PLATFORM') {
      return { feature, supported: false, minKernel, reason: error }
    }
    throw error
  }
}

/** Hooks on functions came to arm64 with Linux 6.0; `x64` is the release that brought them to x64. */
function functionHooksSince(x64: string): string {
  return process.arch === 'arm64' ? '6.0' : x64
}

/** One instruction: opcode, registers, and an immediate of 32 bits. */
function instruction(opcode: number, immediate: number): number[] {
  return [opcode, 0, 0, 0, ...new Uint8Array(Int32Array.of(immediate).buffer)]
}

const EXIT = instruction(0x95, 0)

/** r0 = value; exit */
function returning(value: number): Uint8Array {
  return Uint8Array.from([...instruction(0xb7, value), ...EXIT])
}

/** call helper; r0 = 0; exit */
function calling(helper: number): Uint8Array {
  return Uint8Array.from([...instruction(0x85, helper), ...returning(0)])
}

function tryHook(spec: Omit<ProgramSpec, 'name'>, attach: (program: Program) => Disposable): void {
  const program = Program.load({ name: 'feature', ...spec })
  try {
    attach(program)[Symbol.dispose]()
  } finally {
    program.close()
  }
}

function tryRawTracepoint(): void {
  tryHook({ type: types.BPF_PROG_TYPE_RAW_TRACEPOINT, code: returning(0) }, (program) =>
    attachRawTracepoint(program, 'sched_process_exec'),
  )
}

function tryTpBtf(): void {
  const attachBtfId = kernelBtf().findTracepoint('sched_process_exec')?.id
  const hook = {
    type: types.BPF_PROG_TYPE_TRACING,
    expectedAttachType: types.BPF_TRACE_RAW_TP,
    code: returning(0),
  }
  tryTracing(hook, attachBtfId, 'sched_process_exec')
}

function tryFunctionHook(expectedAttachType: number): void {
  const attachBtfId = kernelBtf().findFunction(HOOKABLE_FUNCTION)?.id
  tryTracing(
    { type: types.BPF_PROG_TYPE_TRACING, expectedAttachType, code: returning(0) },
    attachBtfId,
    HOOKABLE_FUNCTION,
  )
}

function tryLsm(): void {
  // Without "bpf" in the list of security modules a program attaches but is never called.
  const modules = readModules()
  if (modules !== undefined && !modules.split(',').includes('bpf')) {
    throw new EbpfError(
      'ERR_EBPF_NOT_SUPPORTED',
      `LSM programs are never called on this kernel: its security modules are ${modules.trim()} (boot with bpf in lsm=)`,
    )
  }
  const hook = { type: types.BPF_PROG_TYPE_LSM, expectedAttachType: types.BPF_LSM_MAC, code: returning(0) }
  tryTracing(hook, kernelBtf().findFunction('bpf_lsm_bprm_committed_creds')?.id, 'bprm_committed_creds')
}

function readModules(): string | undefined {
  try {
    return readFileSync('/sys/kernel/security/lsm', 'latin1')
  } catch {
    return undefined
  }
}

function tryTracing(hook: Omit<ProgramSpec, 'name'>, attachBtfId: number | undefined, target: string): void {
  if (attachBtfId === undefined) {
    throw new BtfError(`The BTF of this kernel does not know "${target}"`)
  }
  tryHook({ ...hook, attachBtfId }, (program) => attachTracing(program, target))
}

function tryKprobe(retprobe: boolean): void {
  tryHook({ type: types.BPF_PROG_TYPE_KPROBE, code: returning(0) }, (program) =>
    attachKprobe(program, 'wake_up_new_task', { retprobe }),
  )
}

function tryTracepoint(): void {
  tryHook({ type: types.BPF_PROG_TYPE_TRACEPOINT, code: returning(0) }, (program) =>
    attachTracepoint(program, 'sched', 'sched_process_exec'),
  )
}

function tryRingbuf(): void {
  BpfMap.create({ name: 'feature', type: 'ringbuf', maxEntries: pageSizeBytes() }).close()
}

function tryMmapableArray(): void {
  BpfMap.create({ name: 'feature', type: 'array', maxEntries: 1, mmapable: true }).close()
}

function tryBatchOperations(): void {
  const map = BpfMap.create({ name: 'feature', type: 'hash', maxEntries: 1 })
  try {
    map.set(1, new Uint8Array(4))
    const [position, keys, values] = [new Uint8Array(4), new Uint8Array(4), new Uint8Array(4)]
    const attr = new BpfAttr().pointer(8, position).pointer(16, keys).pointer(24, values)
    const result = bpf(BPF_MAP_LOOKUP_BATCH, attr.u32(32, 1).u32(36, map.fd.number))
    // ENOENT: it read everything there was.
    if (result < 0 && result !== -constants.errno.ENOENT) {
      throw kernelError('Cannot read a map in one batch', 'bpf(BPF_MAP_LOOKUP_BATCH)', result)
    }
  } finally {
    map.close()
  }
}

/** A known helper that lacks its arguments is refused for those, an unknown one for its number. */
function tryHelper(helper: number): void {
  try {
    Program.load({ name: 'feature', type: types.BPF_PROG_TYPE_RAW_TRACEPOINT, code: calling(helper) }).close()
  } catch (error) {
    const missingArguments =
      error instanceof VerifierError &&
      !error.log.some((line) => /(invalid|unknown) func|cannot use helper/.test(line))
    if (!missingArguments) {
      throw error
    }
  }
}

function tryCgroup(type: types.ProgramType, expectedAttachType: types.AttachType): void {
  using root = openCgroupRoot()
  // The program returns 1: every packet passes.
  const hook = { type, expectedAttachType, code: returning(1) }
  tryHook(hook, (program) => attachCgroup(program, root, expectedAttachType))
}

function tryIterator(): void {
  const attachBtfId = kernelBtf().findFunction('bpf_iter_task')?.id
  if (attachBtfId === undefined) throw new BtfError('The BTF of this kernel does not know "bpf_iter_task"')
  const expectedAttachType = types.BPF_TRACE_ITER
  const hook = { type: types.BPF_PROG_TYPE_TRACING, expectedAttachType, code: returning(0) }
  tryHook({ ...hook, attachBtfId }, (program) => IteratorLink.attach(program, 'task'))
}

function trySocketFilter(): void {
  const connector = openProcConnector()
  try {
    // The program returns 0: every message is dropped.
    const hook = { type: types.BPF_PROG_TYPE_SOCKET_FILTER, code: returning(0) }
    tryHook(hook, (program) => attachSocketFilter(program, connector.fd))
  } finally {
    connector.close()
  }
}

function tryProcConnector(): void {
  const connector = openProcConnector()
  try {
    connector.listen()
  } finally {
    connector.close()
  }
}
