/** The code that fetches an argument of a hook, or its result, from the context in R6. */

import { type Assembler, R0, R1, R6, type Register } from '../../asm/index.js'
import type { Btf } from '../../btf/index.js'
import { BuildError } from '../../errors.js'
import { type Hook, hookType } from './index.js'
import type { ArgumentPlace } from './type.js'

/** What the place of an argument depends on. */
export interface ArgumentSource {
  readonly hook: Hook
  readonly btf: Btf
  readonly architecture: 'x64' | 'arm64'
  /** The label where the program ends without a record or effects. */
  readonly escape: string
}

/** The function that gives the kernel's own structure behind a context. Needs Linux 6.2. */
export const KERNEL_CONTEXT = 'bpf_cast_to_kern_ctx'

/** `index` is the parameter of the function, `argument` that of the declaration. */
type Emit = (asm: Assembler, dst: Register, index: number, source: ArgumentSource, argument: number) => void

/** Offsets within `struct pt_regs`: arguments in order of the calling convention, and what a function returns. */
const REGISTERS = {
  x64: { arguments: [112, 104, 96, 88, 72, 64], result: 80 },
  arm64: { arguments: [0, 8, 16, 24, 32, 40, 48, 56], result: 0 },
} as const satisfies Record<string, { readonly arguments: readonly number[]; readonly result: number }>

const EMIT: Readonly<Record<ArgumentPlace, Emit>> = {
  words: (asm, dst, index, { hook, escape }, argument) => {
    asm.load(8, dst, R6, index * 8)
    const { mayBeNull = false } = hookType(hook)
    if (mayBeNull && hook.arguments[argument]?.struct !== undefined) asm.jumpIfImm('==', dst, 0, escape)
  },
  registers: (asm, dst, index, { hook, architecture }) => {
    const offset = REGISTERS[architecture].arguments[index]
    if (offset === undefined) throw new BuildError(`Cannot read argument ${index} of ${hook.target}`)
    asm.load(8, dst, R6, offset)
  },
  context: (asm, dst, index, { btf }) => {
    const cast = index === 0 ? undefined : btf.findFunction(KERNEL_CONTEXT)?.id
    if (cast === undefined) asm.mov(dst, R6)
    else asm.mov(R1, R6).callKfunc(KERNEL_CONTEXT, cast).mov(dst, R0)
  },
  none: (_asm, _dst, index, { hook }) => {
    throw new BuildError(`Cannot read argument ${index} of ${hook.target}`)
  },
}

/** Which of the kernel's parameters argument `index` of a hook is, hidden ones included; -1 if none has its name. */
export function parameterOf(hook: Hook, index: number, btf: Btf): number {
  const { hiddenArguments = 0, prototype } = hookType(hook)
  const byName = hook.arguments[index]?.byName
  if (byName === undefined) return hiddenArguments + index
  const parameters = prototype?.(hook.target, btf)?.parameters ?? []
  return parameters.findIndex(({ name }) => byName.includes(name))
}

/** Emits `dst = argument index`; the result of a function is the last one. */
export function emitArgument(asm: Assembler, dst: Register, index: number, source: ArgumentSource): void {
  const { hook, btf, architecture } = source
  const type = hookType(hook)
  if (hook.arguments[index]?.isResult !== true) {
    EMIT[type.arguments](asm, dst, parameterOf(hook, index, btf), source, index)
  } else if (type.result === 'afterArguments') {
    asm.load(8, dst, R6, wordsOfArguments(hook, btf) * 8)
  } else {
    asm.load(8, dst, R6, REGISTERS[architecture].result)
  }
}

/** Structures that are passed by value take several words (kernel/bpf/btf.c, btf_ctx_arg_idx). */
function wordsOfArguments(hook: Hook, btf: Btf): number {
  const parameters = hookType(hook).prototype?.(hook.target, btf)?.parameters ?? []
  return parameters.reduce((words, { type }) => words + Math.ceil((btf.sizeOf(type) ?? 8) / 8), 0)
}
