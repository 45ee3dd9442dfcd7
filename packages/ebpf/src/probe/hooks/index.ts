/** The kinds of hooks, each from its own file. */

import { cgroupSkbType } from './cgroup-skb.js'
import { cgroupSockAddrType } from './cgroup-sock-addr.js'
import { cgroupSockType } from './cgroup-sock.js'
import { fentryType } from './fentry.js'
import { fexitType } from './fexit.js'
import type { Hook, HookKind } from './hook.js'
import { iteratorType } from './iterator.js'
import { kprobeType } from './kprobe.js'
import { kretprobeType } from './kretprobe.js'
import { socketFilterType } from './socket-filter.js'
import { sysEnterType } from './sys-enter.js'
import { sysExitType } from './sys-exit.js'
import { tracepointType } from './tracepoint.js'
import type { HookType, RunFilter } from './type.js'

export {
  among,
  type ArgumentsOf,
  type ArgumentType,
  argumentValues,
  cstring,
  describePrototype,
  type Hook,
  type HookKind,
  int,
  named,
  optional,
  pointer,
  struct,
  type ContextLevel,
} from './hook.js'
export type {
  ArgumentPlace,
  RunFilter,
  HookType,
  MinKernel,
  Place,
  Preemption,
  RunOrder,
  ProgramShape,
} from './type.js'
export { cgroupSkb, type CgroupSkbPlace, type SkbContext } from './cgroup-skb.js'
export { cgroupSockAddr, type CgroupSockAddrPlace, type SockAddrContext } from './cgroup-sock-addr.js'
export { cgroupSock, type CgroupSockPlace, type SockContext } from './cgroup-sock.js'
export { fentry } from './fentry.js'
export { fexit } from './fexit.js'
export { iterator } from './iterator.js'
export { kprobe } from './kprobe.js'
export { kretprobe } from './kretprobe.js'
export { procConnector } from './socket-filter.js'
export { callArgument, type CallRegisters, isCall, isInCall } from './registers.js'
export { sysEnter } from './sys-enter.js'
export { sysExit } from './sys-exit.js'
export { callNumber, type SystemCall, SYSTEM_CALLS } from './system-calls.js'
export { tracepoint } from './tracepoint.js'

/** What is known of each kind of hook. */
export const HOOK_TYPES: { readonly [K in HookKind]: HookType & { readonly kind: K } } = {
  tracepoint: tracepointType,
  sysEnter: sysEnterType,
  sysExit: sysExitType,
  fentry: fentryType,
  fexit: fexitType,
  kprobe: kprobeType,
  kretprobe: kretprobeType,
  socketFilter: socketFilterType,
  cgroupSkb: cgroupSkbType,
  cgroupSock: cgroupSockType,
  cgroupSockAddr: cgroupSockAddrType,
  iterator: iteratorType,
}

/** What distinguishes the runs of a hook; undefined where its probes want all of them. */
export function runFilter(hook: Hook): RunFilter | undefined {
  if (hook.among === undefined) return hookType(hook).calls
  return { number: { kind: 'path', root: { kind: 'argument', index: hook.among.argument }, steps: [] } }
}

/** What is known of a hook's kind. */
export function hookType({ kind }: Hook): HookType {
  return HOOK_TYPES[kind]
}
