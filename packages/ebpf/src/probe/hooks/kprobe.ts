import type { Value } from '../expr.js'
import type { ArgumentType, Hook } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/** The entry of a kernel function, through the kprobe PMU. Needs Linux 4.17 built with CONFIG_KPROBE_EVENTS. */
export function kprobe<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'kprobe', target, arguments: args }
}

/** kernel/trace/trace_kprobe.c: handlers run with preemption disabled; the verifier knows no type of a register. */
export const kprobeType = {
  kind: 'kprobe',
  declared: 'kprobe(function, arguments)',
  runs: 'before the function',
  programs: { probeRead: { type: 'BPF_PROG_TYPE_KPROBE', shownAs: 'kprobe' } },
  levels: ['task', 'softirq', 'hardirq'],
  preemption: 'never',
  exitValue: 0,
  arguments: 'registers',
  output: 'ring',
  prototype: functionPrototype,
  minKernel: { x64: '4.17', arm64: '4.17' },
} as const satisfies HookType
