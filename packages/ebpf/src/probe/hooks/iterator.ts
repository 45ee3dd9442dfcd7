import type { Value } from '../expr.js'
import type { ArgumentType, Hook } from './hook.js'
import type { HookType } from './type.js'

/**
 * A walk through all objects of a sort: `task`, `task_file`, `tcp`, and whatever `bpf_iter_…` functions the kernel
 * has. The probe runs for each of them, and `ProbeSession.iterate` starts the walk and hands out the records. Arguments are
 * those of that function behind the first one, which is about the walk. Needs Linux 5.8 (the sorts: see there), and
 * 6.10 where the kernel preempts tasks (CONFIG_PREEMPT).
 */
export function iterator<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'iterator', target, arguments: args }
}

/**
 * kernel/bpf/bpf_iter.c: `bpf_iter_run_prog`, in the task that reads. At the end of a walk the program runs once more,
 * with NULL for the object. What it writes for an object that the reader has no room for is written again.
 */
export const iteratorType = {
  kind: 'iterator',
  declared: 'iterator(sort, arguments)',
  runs: 'for each object, when `session.iterate` walks through them',
  programs: {
    direct: {
      type: 'BPF_PROG_TYPE_TRACING',
      attachType: 'BPF_TRACE_ITER',
      byBtfId: true,
      shownAs: 'iter',
    },
  },
  levels: ['task'],
  preemption: 'always',
  exitValue: 0,
  arguments: 'words',
  hiddenArguments: 1,
  mayBeNull: true,
  output: 'reader',
  prototype: (target, btf) => btf.findFunction(`bpf_iter_${target}`),
  minKernel: { x64: '5.8', arm64: '5.8' },
} as const satisfies HookType
