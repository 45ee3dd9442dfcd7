import type { Value } from '../expr.js'
import { type ArgumentType, type Hook, resultOf } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/**
 * The return of a kernel function; arguments are those of the call. Declare the type of what it returns, and the body
 * gets that as its last value. Needs Linux 5.5, on arm64 6.0, and 6.10 where the kernel preempts tasks
 * (CONFIG_PREEMPT).
 *
 * @param returns such as `int('result', 4)`; its sign is the one that BTF knows
 */
export function fexit<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A>
export function fexit<const A extends readonly ArgumentType<Value>[], R extends Value>(
  target: string,
  args: A,
  returns: ArgumentType<R>,
): Hook<readonly [...A, ArgumentType<R>]>
export function fexit(
  target: string,
  args: readonly ArgumentType<Value>[],
  returns?: ArgumentType<Value>,
): Hook {
  return { kind: 'fexit', target, arguments: returns === undefined ? args : [...args, resultOf(returns)] }
}

/** The kernel puts the result behind the words of all arguments (arch/x86/net/bpf_jit_comp.c, save_args). */
export const fexitType = {
  kind: 'fexit',
  declared: 'fexit(function, arguments, returns?)',
  runs: 'after the function; its result is the last value',
  programs: {
    direct: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_FEXIT',
      byBtfId: true,
      shownAs: 'fexit',
    },
    probeRead: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_FEXIT',
      byBtfId: true,
      shownAs: 'fexit',
    },
  },
  levels: ['task', 'softirq', 'hardirq'],
  preemption: 'always',
  exitValue: 0,
  arguments: 'words',
  output: 'ring',
  result: 'afterArguments',
  prototype: functionPrototype,
  minKernel: { x64: '5.5', arm64: '6.0' },
} as const satisfies HookType
