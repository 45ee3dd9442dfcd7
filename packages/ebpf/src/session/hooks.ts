/** What a hook asks of its program: the type that it is loaded as, and the way in which it is attached. */

import {
  attachKprobe,
  attachRawTracepoint,
  attachSocketFilter,
  attachTracing,
  type Link,
  openProcConnector,
  type ProcConnector,
} from '../attach/index.js'
import type { Btf } from '../btf/index.js'
import { BuildError, EbpfError } from '../errors.js'
import type { Flavor, Probe } from '../probe/index.js'
import { findPrototype } from '../probe/prototype.js'
import type { Program } from '../program/program.js'
import {
  BPF_PROG_TYPE_KPROBE,
  BPF_PROG_TYPE_RAW_TRACEPOINT,
  BPF_PROG_TYPE_SOCKET_FILTER,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_FENTRY,
  BPF_TRACE_FEXIT,
  BPF_TRACE_RAW_TP,
} from '../program/types.js'

/** Programs of kprobes get no pointers that the verifier would know. */
export function isProbeReadOnly({ hook }: Probe): boolean {
  return hook.kind === 'kprobe'
}

interface ProgramKind {
  readonly type: number
  readonly expectedAttachType?: number
  readonly attachBtfId?: number
}

export function programKind({ hook }: Probe, flavor: Flavor, btf: Btf): ProgramKind {
  switch (hook.kind) {
    case 'socketFilter':
      return { type: BPF_PROG_TYPE_SOCKET_FILTER }
    case 'tracepoint':
      if (flavor === 'probeRead') return { type: BPF_PROG_TYPE_RAW_TRACEPOINT }
      return tracing(BPF_TRACE_RAW_TP)
    case 'kprobe':
      return { type: BPF_PROG_TYPE_KPROBE }
    case 'fentry':
      return tracing(BPF_TRACE_FENTRY)
    case 'fexit':
      return tracing(BPF_TRACE_FEXIT)
    default:
      throw new BuildError(`Cannot load a probe for a ${hook.kind} in a session`)
  }
  function tracing(expectedAttachType: number): ProgramKind {
    return { type: BPF_PROG_TYPE_TRACING, expectedAttachType, attachBtfId: findPrototype(hook, btf)?.id ?? 0 }
  }
}

/** As users read it: `tp_btf/sched_process_exec`. */
export function hookName({ hook }: Probe, flavor: Flavor): string {
  if (hook.kind === 'tracepoint') return `${flavor === 'direct' ? 'tp_btf' : 'raw_tp'}/${hook.target}`
  return `${hook.kind === 'socketFilter' ? 'socket_filter' : hook.kind}/${hook.target}`
}

/** Lets the filter see the connector's messages; it drops them all, so nothing queues up on the socket. */
function attachToProcConnector(program: Program, events: number | undefined): ProcConnector {
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

/** @throws {KernelError} when the kernel refuses */
export function attachProgram({ hook }: Probe, program: Program, flavor: Flavor): Link | ProcConnector {
  if (hook.kind === 'socketFilter') return attachToProcConnector(program, hook.events)
  if (hook.kind === 'kprobe') return attachKprobe(program, hook.target)
  if (hook.kind === 'tracepoint' && flavor === 'probeRead') return attachRawTracepoint(program, hook.target)
  return attachTracing(program, hook.target)
}
