import type { Value } from '../expr.js'
import { type ArgumentType, type Hook, resultOf } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/**
 * The return of a kernel function, through the kprobe PMU: the only value is what it returned. For the arguments of
 * the call see `pair`. Needs Linux 4.17 built with CONFIG_KPROBE_EVENTS.
 *
 * @param returns such as `int('result', 4)`; its sign is the one that BTF knows. Of a function that returns something
 *   else on other kernels give several, each as `optional`
 */
export function kretprobe<const R extends readonly ArgumentType<Value>[]>(
  target: string,
  ...returns: R
): Hook<R> {
  return {
    kind: 'kretprobe',
    target,
    arguments: returns.map((one) => resultOf(one)) as unknown as R,
  }
}

/** kernel/trace/trace_kprobe.c: `kretprobe_perf_func` passes the registers as they are at the return. */
export const kretprobeType = {
  kind: 'kretprobe',
  declared: 'kretprobe(function, …returns)',
  runs: 'after the function; its result is the only value',
  programs: { probeRead: { type: 'BPF_PROG_TYPE_KPROBE', shownAs: 'kretprobe' } },
  levels: ['task', 'softirq', 'hardirq'],
  preemption: 'never',
  exitValue: 0,
  arguments: 'registers',
  output: 'ring',
  result: 'register',
  prototype: functionPrototype,
  minKernel: { x64: '4.17', arm64: '4.17' },
} as const satisfies HookType
