/** Probes of ptrace(2). */

import {
  callArgument,
  type CallRegisters,
  containerOf,
  currentTask,
  probe,
  type Probe,
  type Scalar,
  sysExit,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import {
  forgetTarget,
  notedTarget,
  targetProbes,
  targetsMap,
  taskTarget,
} from '../../process/kernel-target.js'
import type { Task } from '../../process/kernel-types.js'
import { ptraceLayout } from './records.js'

interface Tracer {
  readonly ptraced: { readonly next: Scalar }
}

const NAME = 'quark_ptrace'
const hook = sysExit(['ptrace'])

function callOf(call: CallRegisters, result: Scalar) {
  const [request, address, data] = [callArgument(call, 0), callArgument(call, 2), callArgument(call, 3)]
  return { ...currentActor(), request, address, data, result }
}

/** The probes of each rung: where functions can be hooked, and where not. */
export function ptraceProbes(): { fexit: Probe[]; kretprobe: Probe[]; calls: Probe[] } {
  const targets = targetsMap('quark_traced')
  const finding = targetProbes('quark_tracee', targets)
  const noted = probe({ name: NAME, hook, record: ptraceLayout }, (call, result) => ({
    finally: [forgetTarget(targets)],
    fill: { ...callOf(call, result), ...notedTarget(targets, callArgument(call, 1)) },
  }))
  // The one that was attached to last is the first of the list.
  const listed = probe({ name: NAME, hook, record: ptraceLayout }, (call, result) => {
    const tracee = containerOf<Task>('task_struct', 'ptrace_entry', currentTask<Tracer>().ptraced.next)
    return { fill: { ...callOf(call, result), ...taskTarget(tracee, callArgument(call, 1)) } }
  })
  return { fexit: [noted, finding.fexit], kretprobe: [noted, finding.kretprobe], calls: [listed] }
}
