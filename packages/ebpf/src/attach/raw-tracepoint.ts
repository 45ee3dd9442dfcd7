import type { Program } from '../program/program.js'
import { bpf, BPF_RAW_TRACEPOINT_OPEN, BpfAttr, cString } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { kernelError } from '../sys/permission.js'
import { Link } from './link.js'
import { constants } from 'node:os'

/** The kernel's own errno for an operation that this build or architecture does not have. */
const ENOTSUPP = 524

/**
 * Attaches a raw tracepoint program to a tracepoint by name, such as `sched_process_exec`. Needs Linux 4.17.
 *
 * @throws {KernelError} ENOENT when this kernel has no such tracepoint
 */
export function attachRawTracepoint(program: Program, name: string): Link {
  const attr = new BpfAttr().pointer(0, cString(name)).u32(8, program.fd.number)
  const result = bpf(BPF_RAW_TRACEPOINT_OPEN, attr)
  if (result < 0) {
    const missing = result === -constants.errno.ENOENT
    const advice = missing ? 'this kernel has no such tracepoint' : undefined
    const action = `Cannot attach program "${program.name}" to raw tracepoint "${name}"`
    throw kernelError(action, 'bpf(BPF_RAW_TRACEPOINT_OPEN)', result, advice)
  }
  const fd = new Fd(result, `link to raw tracepoint "${name}"`)
  return new Link('rawTracepoint', name, () => fd.close())
}

/**
 * Attaches a program whose hook is part of its load: tp_btf, fentry, fexit and LSM programs. Needs Linux 5.5; LSM
 * 5.7; fentry and fexit on arm64 6.0 and a kernel built with ftrace direct calls.
 *
 * @param target what the program was loaded for, for errors and `Link.target`
 * @throws {KernelError} ENOTSUPP (524) when this kernel cannot hook functions, even if the program loaded
 */
export function attachTracing(program: Program, target: string): Link {
  const attr = new BpfAttr().u32(8, program.fd.number)
  const result = bpf(BPF_RAW_TRACEPOINT_OPEN, attr)
  if (result < 0) {
    const advice =
      result === -ENOTSUPP ? 'this kernel is built without ftrace direct calls: use a kprobe' : undefined
    const action = `Cannot attach program "${program.name}" to "${target}"`
    throw kernelError(action, 'bpf(BPF_RAW_TRACEPOINT_OPEN)', result, advice)
  }
  const fd = new Fd(result, `link to "${target}"`)
  return new Link('tracing', target, () => fd.close())
}
