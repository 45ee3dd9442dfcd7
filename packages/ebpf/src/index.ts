/** eBPF from TypeScript. Subpaths: `./probe` to declare, `./btf`, `./asm`. */

export {
  BtfError,
  BuildError,
  ClosedError,
  EbpfError,
  type EbpfErrorCode,
  NotSupportedError,
  PlatformError,
  PrototypeError,
} from './errors.js'
export { errnoName, KernelError, VerifierError } from './sys/errors.js'
export { Btf } from './btf/index.js'
export { kernelBtf } from './kernel/btf.js'
export { btfOfFile } from './kernel/btf-files.js'
export * from './attach/index.js'
export * from './netlink/index.js'
export * from './fanotify/index.js'
export { kernelPreempts } from './kernel/preemption.js'
export { FEATURE_NAMES, type FeatureName, type FeatureResult, probeFeature } from './kernel/features.js'
export {
  BPF_ANY,
  BPF_EXIST,
  BPF_F_MMAPABLE,
  BPF_F_NO_PREALLOC,
  BPF_F_RDONLY_PROG,
  BPF_NOEXIST,
  BpfMap,
  type MapKey,
  possibleCpuCount,
} from './map/map.js'
export type { MapSpec, MapType } from './probe/map-spec.js'
export * from './program/types.js'
export { Program, type ProgramInfo, type ProgramSpec, type TestRunInput } from './program/program.js'
export { PerfBuffer, type PerfBufferOptions } from './perf/perfbuf.js'
export { type PerfSample, type PerfSink } from './perf/cursor.js'
export type { Probe } from './probe/index.js'
export { type RecordSink } from './ring/cursor.js'
export { type LeasedRecord, RingLease } from './ring/lease.js'
export { RingReader } from './ring/ringbuf.js'
export {
  type AttachedProbe,
  type LoadedProbe,
  ProbeSession,
  type SessionCounters,
} from './session/session.js'
export { type MapEntry, SessionMap } from './session/session-map.js'
export { hookFeatures } from './session/hooks.js'
export type { SessionOptions } from './session/options.js'
export type { Sleep } from './session/sleep.js'
export { type ClockName, clockNs, suspendedNs } from './sys/clock.js'
export { Fd } from './sys/fd.js'
export { MappedMemory } from './sys/memory.js'
export { type KernelVersion, kernelAtLeast, kernelVersion, parseKernelVersion } from './sys/platform.js'
export { type PermissionFacts, permissionFacts } from './sys/permission.js'
export { type Account, accountNamed, accountOf, groupsOf } from './sys/accounts.js'
export { chroot, dieOf, dropBoundingSet, exitNow, giveUpRights, trimMemory } from './sys/process.js'
export { Poller } from './sys/poller.js'
export { Readiness } from './sys/readiness.js'
