import type { Value } from '../expr.js'
import type { ArgumentType, Hook } from './hook.js'
import type { HookType } from './type.js'

/**
 * A tracepoint, attached through BTF (`tp_btf`) or as a raw tracepoint. Arguments are those of TP_PROTO.
 * Needs Linux 4.17 (raw), 5.5 (BTF).
 */
export function tracepoint<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'tracepoint', target, arguments: args }
}

/** kernel/trace/bpf_trace.c: `__bpf_trace_run` runs the program in whatever context the tracepoint is hit. */
export const tracepointType = {
  kind: 'tracepoint',
  noun: 'tracepoint',
  declared: 'tracepoint(name, arguments)',
  runs: 'at the tracepoint',
  programs: {
    direct: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_RAW_TP',
      byBtfId: true,
      shownAs: 'tp_btf',
    },
    probeRead: { type: 'BPF_PROG_TYPE_RAW_TRACEPOINT', shownAs: 'raw_tp' },
  },
  levels: ['task', 'softirq', 'hardirq'],
  preemption: 'recent',
  runsFirst: 'oldest',
  exitValue: 0,
  arguments: 'words',
  output: 'ring',
  prototype: (target, btf) => btf.findTracepoint(target),
  minKernel: { x64: '4.17', arm64: '4.17' },
} as const satisfies HookType
