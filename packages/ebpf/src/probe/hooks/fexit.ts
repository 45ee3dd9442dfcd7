import type { Value } from '../expr.js'
import { type ArgumentType, type Hook, resultOf } from './hook.js'
import { functionPrototype, type HookType } from './type.js'

/**
 * The return of a kernel function; arguments are those of the call. Declare the type of what it returns, and the body
 * gets that as its last value. Needs Linux 5.5, on arm64 6.0, and 6.10 where the kernel preempts tasks
 * (CONFIG_PREEMPT).
 *
 * @param returns such as `int('result', 4)`; its sign is the one that BTF knows. Of a function that returns something
 *   else on other kernels give several, each as `optional`
 */
export function fexit<
  const A extends readonly ArgumentType<Value>[],
  const R extends readonly ArgumentType<Value>[],
>(target: string, args: A, ...returns: R): Hook<readonly [...A, ...R]> {
  return {
    kind: 'fexit',
    target,
    arguments: [...args, ...returns.map((one) => resultOf(one))] as unknown as readonly [...A, ...R],
  }
}

/** The kernel puts the result behind the words of all arguments (arch/x86/net/bpf_jit_comp.c, save_args). */
export const fexitType = {
  kind: 'fexit',
  declared: 'fexit(function, arguments, …returns)',
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
  // kernel/bpf/trampoline.c: links are added at the head of the list.
  runsFirst: 'newest',
  exitValue: 0,
  arguments: 'words',
  output: 'ring',
  result: 'afterArguments',
  prototype: functionPrototype,
  minKernel: { x64: '5.5', arm64: '6.0' },
} as const satisfies HookType
