/** Hooks: where a probe can attach, and which arguments the kernel passes there. All of it is data. */

import { pathValue, type Scalar, type Value } from '../expr.js'
import type { SystemCall } from './system-calls.js'

declare const TYPE: unique symbol

/** The declared type of one argument of a hook. */
export interface ArgumentType<T extends Value> {
  /** Name of the structure that the argument points to; absent for numbers. */
  readonly struct?: string
  /** Width of a number. */
  readonly sizeBytes?: number
  /** The argument points to a NUL-terminated string. */
  readonly string?: boolean
  /** The argument is an address, of any type. */
  readonly pointer?: boolean
  /** Kernels exist whose prototype ends before this argument. */
  readonly optional?: boolean
  /** It is the parameter with one of these names, wherever the kernel's prototype has it. */
  readonly byName?: readonly string[]
  /** What the function returned: no parameter of it, and always behind those of a hook. */
  readonly isResult?: boolean
  readonly name: string
  readonly [TYPE]?: T
}

/** A pointer to a kernel structure; `T` is the interface with the members that the probe touches. */
export function struct<T extends Value>(struct: string, name: string = struct): ArgumentType<T> {
  return { struct, name }
}

/** A number of `sizeBytes` bytes. */
export function int(name: string, sizeBytes: 1 | 2 | 4 | 8): ArgumentType<Scalar> {
  return { name, sizeBytes }
}

/** A pointer to a NUL-terminated kernel string. */
export function cstring(name: string): ArgumentType<Scalar> {
  return { name, string: true }
}

/**
 * A pointer to anything, also to `void`: its address as a number. Verifiers of some kernels refuse a read of one to `const
 * void`: 6.12 does, 6.18 does not.
 */
export function pointer(name: string): ArgumentType<Scalar> {
  return { name, pointer: true }
}

/** An argument that only some kernels pass. Use it inside `firstOf`. */
export function optional<T extends Value>(type: ArgumentType<T>): ArgumentType<T> {
  return { ...type, optional: true }
}

/**
 * An argument that kernels have in different places: it is looked for by the name of the parameter, or by one of those
 * that it had in other releases, in the types of the running kernel. Of functions only, and where no structure comes before
 * it that is passed by value.
 */
export function named<T extends Value>(
  type: ArgumentType<T>,
  ...formerly: readonly string[]
): ArgumentType<T> {
  return { ...type, byName: [type.name, ...formerly] }
}

/** The values that the callback of a probe gets for its declared arguments. */
export type ArgumentsOf<A extends readonly ArgumentType<Value>[]> = {
  readonly [K in keyof A]: A[K] extends ArgumentType<infer T> ? T : never
}

/** The kinds of hooks; each has a file of its name in this folder. */
export type HookKind =
  | 'tracepoint'
  | 'sysEnter'
  | 'sysExit'
  | 'fentry'
  | 'fexit'
  | 'kprobe'
  | 'kretprobe'
  | 'socketFilter'
  | 'cgroupSkb'
  | 'cgroupSock'
  | 'cgroupSockAddr'
  | 'iterator'

/**
 * What a program interrupts and can be interrupted by. The program itself keeps its records apart by how deeply it is
 * nested (levels.ts); this is for those who declare probes: only in `task` is the current task the one that acts.
 */
export type ContextLevel = 'task' | 'softirq' | 'hardirq'

/** A place in the kernel, and the declared prototype that it must have there. */
export interface Hook<A extends readonly ArgumentType<Value>[] = readonly ArgumentType<Value>[]> {
  readonly kind: HookKind
  /** Tracepoint, function, place or sort of objects; for a socket filter, what is listened to. */
  readonly target: string
  readonly arguments: A
  /** Of system calls: which ones. */
  readonly calls?: readonly SystemCall[]
  /** Which argument says what happens, and the values of it that are wanted; see `among`. */
  readonly among?: { readonly argument: number; readonly values: readonly number[] }
  /** Of the proc connector: which events are wanted. */
  readonly events?: number
  /** What its programs can interrupt, where that is less than for others of its kind (contexts.ts). */
  readonly levels?: readonly ContextLevel[]
  /** See `notPartlyInlined`. */
  readonly rulesOutInlining?: boolean
}

/** Values of an argument are below: each is a slot in a map of programs. */
const MAX_VALUE = 511

/**
 * Declares that only some values of an argument are wanted: `among(tracepoint('inet_sock_set_state', …), 'newstate', [1,
 * 7])`. All such probes of a session at one place share a program there, which goes on to those that want the value at
 * hand, where the kernel can do that (Linux 5.10, on arm64 6.0; not since 6.19). A probe costs nothing for other values.
 *
 * @throws {RangeError} for an argument that is none, and for values that are not whole numbers from 0 to 511
 */
export function among<H extends Hook>(hook: H, name: string, values: readonly number[]): H {
  const argument = hook.arguments.findIndex((one) => one.name === name && one.sizeBytes !== undefined)
  if (argument === -1)
    throw new RangeError(`Cannot choose among values of "${name}": ${hook.target} has no such number`)
  if (
    values.length === 0 ||
    !values.every((value) => Number.isInteger(value) && value >= 0 && value <= MAX_VALUE)
  ) {
    throw new RangeError(
      `Cannot choose among ${values.join(', ')}: give whole numbers from 0 to ${MAX_VALUE}`,
    )
  }
  return { ...hook, among: { argument, values } }
}

/** The typed values behind a hook's arguments. */
export function argumentValues<A extends readonly ArgumentType<Value>[]>(hook: Hook<A>): ArgumentsOf<A> {
  return hook.arguments.map((_, index) =>
    pathValue({ kind: 'path', root: { kind: 'argument', index }, steps: [] }),
  ) as unknown as ArgumentsOf<A>
}

/** What a function returned, behind the arguments of a hook at its return. */
export function resultOf<T extends ArgumentType<Value>>(type: T): T {
  return { ...type, isResult: true }
}

/** A hook's declared prototype, as the messages print it. */
export function describePrototype(hook: Hook): string {
  const parameters = hook.arguments.filter(({ isResult }) => isResult !== true).map(describeArgument)
  const results = hook.arguments.filter(({ isResult }) => isResult === true).map(describeArgument)
  return `(${parameters.join(', ')})${results.length === 0 ? '' : `: ${results.join(' or ')}`}`
}

function describeArgument({ name, ...argument }: ArgumentType<Value>): string {
  const optional = argument.optional === true ? '[optional] ' : ''
  if (argument.struct !== undefined) return `${optional}struct ${argument.struct} *${name}`
  if (argument.string === true) return `${optional}const char *${name}`
  if (argument.pointer === true) return `${optional}pointer ${name}`
  return `${optional}${argument.sizeBytes}-byte integer ${name}`
}
