/** How the program of a hook is loaded and attached. */

import {
  attachCgroup,
  attachKprobe,
  attachRawTracepoint,
  attachSocketFilter,
  attachTracing,
  IteratorLink,
  type Link,
  openCgroupRoot,
  openProcConnector,
  type ProcConnector,
} from '../attach/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError, EbpfError } from '../errors.js'
import type { FeatureName } from '../kernel/features.js'
import { type Flavor, type Hook, type HookKind, hookType } from '../probe/index.js'
import type { ProgramShape } from '../probe/hooks/index.js'
import { findPrototype } from '../probe/prototype.js'
import type { Program, ProgramSpec } from '../program/program.js'
import * as types from '../program/types.js'

/** How hooks of a kind are attached, and the features of which any one is enough for that. */
interface Attaching {
  readonly features: readonly FeatureName[]
  /** @throws {KernelError} when the kernel refuses */
  readonly attach: (hook: Hook, program: Program, where: Where) => ProbeLink
}

/** What holds a program at its hook. */
export type ProbeLink = Link | ProcConnector | IteratorLink

/** Options of a session about where programs are attached. */
export interface Where {
  readonly flavor: Flavor
  /** Folder of the cgroup whose sockets are watched, and those of all below it. Default: the root. */
  readonly cgroup: string | undefined
}

const tracing: Attaching['attach'] = ({ target }, program) => attachTracing(program, target)

const tracepoint: Attaching = {
  features: ['tpBtf', 'rawTracepoint'],
  attach: ({ target }, program, { flavor }) =>
    flavor === 'direct' ? attachTracing(program, target) : attachRawTracepoint(program, target),
}

const ATTACHING: Readonly<Record<HookKind, Attaching>> = {
  tracepoint,
  sysEnter: tracepoint,
  sysExit: tracepoint,
  fentry: { features: ['fentry'], attach: tracing },
  fexit: { features: ['fexit'], attach: tracing },
  kprobe: { features: ['kprobe'], attach: ({ target }, program) => attachKprobe(program, target) },
  kretprobe: {
    features: ['kretprobe'],
    attach: ({ target }, program) => attachKprobe(program, target, { retprobe: true }),
  },
  socketFilter: { features: ['procConnector'], attach: attachToProcConnector },
  cgroupSkb: { features: ['cgroupLink'], attach: attachToCgroup },
  cgroupSock: { features: ['cgroupSock'], attach: attachToCgroup },
  cgroupSockAddr: { features: ['cgroupSockAddr'], attach: attachToCgroup },
  iterator: {
    features: ['iterator'],
    attach: ({ target }, program) => IteratorLink.attach(program, target),
  },
}

/** Features of the kernel of which hooks of a kind need any one. */
export function hookFeatures(kind: HookKind): readonly FeatureName[] {
  return ATTACHING[kind].features
}

/** The flavours in which programs of a hook can be generated, in the order of `wanted`. */
export function flavorsOf(hook: Hook, wanted: readonly Flavor[]): readonly Flavor[] {
  const { programs } = hookType(hook)
  const possible = (Object.keys(programs) as Flavor[]).filter((flavor) => programs[flavor] !== undefined)
  // If there is only one flavour, it is used whatever is wanted.
  return possible.length === 1 ? possible : wanted
}

function shapeOf(hook: Hook, flavor: Flavor): ProgramShape {
  const shape = hookType(hook).programs[flavor]
  if (shape === undefined) throw new BuildError(`Cannot load a ${hook.kind} in the flavour ${flavor}`)
  return shape
}

/** A `BPF_*` constant by its name. */
function constant(name: string): number {
  const value = (types as Readonly<Record<string, unknown>>)[name]
  if (typeof value !== 'number') throw new BuildError(`Cannot load a program of the unknown kind ${name}`)
  return value
}

/** The attach type of a hook by its name; undefined where the kernel asks for none. */
function attachTypeOf(hook: Hook, shape: ProgramShape): number | undefined {
  const { places } = hookType(hook)
  const place = places?.[hook.target]
  if (places !== undefined && place === undefined) {
    throw new BuildError(`Cannot load a ${hook.kind} for the unknown place "${hook.target}"`)
  }
  const name = place?.attachType ?? shape.attachType
  return name === undefined ? undefined : constant(name)
}

/** The program type and attach type with which a probe's program is loaded. */
export function programKind(
  hook: Hook,
  flavor: Flavor,
  btf: Btf,
): Pick<ProgramSpec, 'type' | 'expectedAttachType' | 'attachBtfId'> {
  const shape = shapeOf(hook, flavor)
  const expectedAttachType = attachTypeOf(hook, shape)
  return {
    type: constant(shape.type),
    ...(expectedAttachType === undefined ? {} : { expectedAttachType }),
    ...(shape.byBtfId === true ? { attachBtfId: findPrototype(hook, btf)?.id ?? 0 } : {}),
  }
}

/** The hook's name for users: `tp_btf/sched_process_exec`. */
export function hookName(hook: Hook, flavor: Flavor): string {
  return `${shapeOf(hook, flavor).shownAs}/${hook.target}`
}

/** Attaches a program as the filter of a connector; it drops all messages, so none queues on the socket. */
function attachToProcConnector({ events }: Hook, program: Program): ProcConnector {
  const connector = openProcConnector()
  try {
    attachSocketFilter(program, connector.fd)
    connector.listen(events)
    return connector
  } catch (error) {
    connector.close()
    if (error instanceof EbpfError) throw error
    throw new EbpfError('ERR_EBPF_KERNEL', 'Cannot listen to the proc connector', { cause: error })
  }
}

function attachToCgroup(hook: Hook, program: Program, { cgroup }: Where): Link {
  const type = attachTypeOf(hook, shapeOf(hook, 'direct')) ?? 0
  if (cgroup !== undefined) return attachCgroup(program, cgroup, type)
  using root = openCgroupRoot()
  return attachCgroup(program, root, type)
}

/** @throws {KernelError} when the kernel refuses */
export function attachProgram(hook: Hook, program: Program, where: Where): ProbeLink {
  return ATTACHING[hook.kind].attach(hook, program, where)
}
