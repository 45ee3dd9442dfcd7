/** Compares a hook's declared prototype with the kernel's. */

import type { Btf, FunctionPrototype } from '../btf/index.js'
import { NotSupportedError, PrototypeError } from '../errors.js'
import { type ArgumentType, describePrototype, type Hook } from './hooks.js'
import type { Value } from './expr.js'
import type { PresentArguments } from './resolve.js'

/** The kernel's prototype of a tracepoint or function; undefined when it has none of that name. */
export function findPrototype(hook: Hook, btf: Btf): FunctionPrototype | undefined {
  return hook.kind === 'tracepoint' ? btf.findTracepoint(hook.target) : btf.findFunction(hook.target)
}

/**
 * Which of the declared arguments the kernel passes. Further arguments that the kernel has are left alone.
 *
 * @throws {NotSupportedError} when the kernel has no such hook
 * @throws {PrototypeError} when an argument has another type, or a required one is missing
 */
export function presentArguments(hook: Hook, btf: Btf): PresentArguments {
  if (hook.kind === 'socketFilter') return []
  const prototype = findPrototype(hook, btf)
  if (prototype === undefined) {
    throw new NotSupportedError(`the ${hook.kind} ${hook.target}: its BTF does not know it`)
  }
  return hook.arguments.map((argument, index) => {
    const parameter = prototype.parameters[index]
    if (parameter === undefined && argument.optional === true) return false
    if (parameter === undefined || !matches(argument, parameter.type, btf)) {
      throw new PrototypeError(hook.target, describePrototype(hook), prototype.toString())
    }
    return true
  })
}

function matches(argument: ArgumentType<Value>, type: number, btf: Btf): boolean {
  const pointee = btf.pointee(type)
  if (argument.struct !== undefined) return pointee !== undefined && btf.nameOf(pointee) === argument.struct
  if (argument.string === true) {
    const integer = pointee === undefined ? undefined : btf.integer(pointee)
    return integer !== undefined && integer.bits === 8
  }
  return pointee === undefined && btf.integer(type) !== undefined && btf.sizeOf(type) === argument.sizeBytes
}
