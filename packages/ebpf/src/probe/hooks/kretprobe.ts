import type { Value } from '../expr.js'
import { type ArgumentType, type Hook, resultOf } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/**
 * The return of a kernel function, through the kprobe PMU: the only value is what it returned. For the arguments of
 * the call see `pair`. Needs Linux 4.17 built with CONFIG_KPROBE_EVENTS.
 *
 * @param returns such as `int('result', 4)`; its sign is the one that BTF knows
 */
export function kretprobe(target: string): Hook<readonly []>
export function kretprobe<R extends Value>(
  target: string,
  returns: ArgumentType<R>,
): Hook<readonly [ArgumentType<R>]>
export function kretprobe(target: string, returns?: ArgumentType<Value>): Hook {
  return { kind: 'kretprobe', target, arguments: returns === undefined ? [] : [resultOf(returns)] }
}

/** kernel/trace/trace_kprobe.c: `kretprobe_perf_func` passes the registers as they are at the return. */
export const kretprobeType = {
  kind: 'kretprobe',
  declared: 'kretprobe(function, returns?)',
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
