/** Compares a hook's declared prototype with the kernel's. */

import type { Btf, FunctionPrototype } from '../btf/index.js'
import { NotSupportedError, PrototypeError } from '../errors.js'
import { KERNEL_CONTEXT, parameterOf } from './hooks/arguments.js'
import { type ArgumentType, describePrototype, type Hook, hookType } from './hooks/index.js'
import type { Value } from './expr.js'

/** Which of the declared arguments the kernel's prototype really has. */
export type PresentArguments = readonly boolean[]

/** The kernel's prototype of a hook; undefined when it has none of that name, or BTF knows nothing of such hooks. */
export function findPrototype(hook: Hook, btf: Btf): FunctionPrototype | undefined {
  return hookType(hook).prototype?.(hook.target, btf)
}

/**
 * Which of the declared arguments the kernel passes. Further arguments that the kernel has are left alone.
 *
 * @throws {NotSupportedError} when the kernel has no such hook
 * @throws {PrototypeError} when an argument has another type, or a required one is missing
 */
export function presentArguments(hook: Hook, btf: Btf): PresentArguments {
  const { noun = hook.kind, prototype: known, arguments: place } = hookType(hook)
  if (known === undefined)
    return hook.arguments.map((_, index) => place !== 'context' || hasContext(index, btf))
  const prototype = findPrototype(hook, btf)
  if (prototype === undefined) {
    throw new NotSupportedError(`the ${noun} ${hook.target}: its BTF does not know it`)
  }
  return hook.arguments.map((argument, index) => {
    const isResult = argument.isResult === true
    const type = isResult ? prototype.returnType : prototype.parameters[parameterOf(hook, index, btf)]?.type
    if (type === undefined && argument.optional === true) return false
    if (type === undefined || !matches(argument, type, btf)) {
      // Functions exist that return something else on other kernels.
      if (isResult && argument.optional === true) return false
      throw new PrototypeError(hook.target, describePrototype(hook), actual(hook, prototype, btf))
    }
    return true
  })
}

/** The kernel's own structure behind a context is an argument that old kernels lack. */
function hasContext(index: number, btf: Btf): boolean {
  return index === 0 || btf.findFunction(KERNEL_CONTEXT) !== undefined
}

/** The kernel's prototype, with what the function returns if the declaration says something about that. */
function actual(hook: Hook, prototype: FunctionPrototype, btf: Btf): string {
  const hasResult = hook.arguments.some(({ isResult }) => isResult === true)
  return hasResult ? `${prototype.toString()}: ${btf.typeName(prototype.returnType)}` : prototype.toString()
}

function matches(argument: ArgumentType<Value>, type: number, btf: Btf): boolean {
  const pointee = btf.pointee(type)
  if (argument.pointer === true) return pointee !== undefined
  if (argument.struct !== undefined) return pointee !== undefined && btf.nameOf(pointee) === argument.struct
  if (argument.string === true) {
    const integer = pointee === undefined ? undefined : btf.integer(pointee)
    return integer !== undefined && integer.bits === 8
  }
  return pointee === undefined && btf.integer(type) !== undefined && btf.sizeOf(type) === argument.sizeBytes
}
