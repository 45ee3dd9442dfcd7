import type { Value } from '../expr.js'
import type { ArgumentType, Hook } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/**
 * The entry of a kernel function. Needs Linux 5.5, on arm64 6.0, and 6.10 where the kernel preempts tasks
 * (CONFIG_PREEMPT).
 */
export function fentry<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'fentry', target, arguments: args }
}

/** kernel/bpf/trampoline.c: `__bpf_prog_enter_recur` disables migration, and not preemption. */
export const fentryType = {
  kind: 'fentry',
  declared: 'fentry(function, arguments)',
  runs: 'before the function',
  programs: {
    direct: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_FENTRY',
      byBtfId: true,
      shownAs: 'fentry',
    },
    probeRead: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_FENTRY',
      byBtfId: true,
      shownAs: 'fentry',
    },
  },
  levels: ['task', 'softirq', 'hardirq'],
  preemption: 'always',
  // kernel/bpf/trampoline.c: links are added at the head of the list.
  runsFirst: 'newest',
  exitValue: 0,
  arguments: 'words',
  output: 'ring',
  prototype: functionPrototype,
  minKernel: { x64: '5.5', arm64: '6.0' },
} as const satisfies HookType
