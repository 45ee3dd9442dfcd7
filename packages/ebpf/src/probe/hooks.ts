/** Where a probe can hook, and what the kernel hands to it there. All of it is data. */

import { pathValue, type Scalar, type Value } from './expr.js'

declare const TYPE: unique symbol

/** The declared type of one argument of a hook. */
export interface ArgumentType<T extends Value> {
  /** Name of the structure that the argument points to; absent for numbers. */
  readonly struct?: string
  /** Width of a number. */
  readonly sizeBytes?: number
  /** The argument points to a NUL-terminated string. */
  readonly string?: boolean
  /** Kernels exist whose prototype ends before this argument. */
  readonly optional?: boolean
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

/** An argument that only some kernels pass. Use it inside `firstOf`. */
export function optional<T extends Value>(type: ArgumentType<T>): ArgumentType<T> {
  return { ...type, optional: true }
}

/** The values that the callback of a probe gets for its declared arguments. */
export type ArgumentsOf<A extends readonly ArgumentType<Value>[]> = {
  readonly [K in keyof A]: A[K] extends ArgumentType<infer T> ? T : never
}

export type HookKind = 'tracepoint' | 'fentry' | 'fexit' | 'kprobe' | 'kretprobe' | 'socketFilter'

/** A place in the kernel, and the declared prototype that it must have there. */
export interface Hook<A extends readonly ArgumentType<Value>[] = readonly ArgumentType<Value>[]> {
  readonly kind: HookKind
  /** Tracepoint or function; for a socket filter, what is listened to. */
  readonly target: string
  readonly arguments: A
  /** Of the proc connector: which events are wanted. */
  readonly events?: number
}

/**
 * A tracepoint, attached through BTF (`tp_btf`) or as a raw tracepoint. Arguments are those of TP_PROTO.
 * Needs Linux 4.17 (raw), 5.5 (BTF).
 */
export function tracepoint<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'tracepoint', target, arguments: args }
}

/** The entry of a kernel function. Needs Linux 5.5, on arm64 6.0. */
export function fentry<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'fentry', target, arguments: args }
}

/** The return of a kernel function; arguments are those of the call. Needs Linux 5.5, on arm64 6.0. */
export function fexit<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'fexit', target, arguments: args }
}

/** The entry of a kernel function, through the kprobe PMU. Needs Linux 4.17. */
export function kprobe<const A extends readonly ArgumentType<Value>[]>(target: string, args: A): Hook<A> {
  return { kind: 'kprobe', target, arguments: args }
}

/**
 * A filter on a socket that listens to the proc connector: it sees each message as `packet(…)`, in the task
 * that the message is about. Needs Linux 4.17 (bpf_ringbuf_output: 5.8) and CONFIG_PROC_EVENTS.
 *
 * @param events `PROC_EVENT_*` bits that are wanted; kernels before 6.6 send all of them
 */
export function procConnector(events: number): Hook<readonly []> {
  return { kind: 'socketFilter', target: 'proc_connector', arguments: [], events }
}

/** The typed values behind a hook's arguments. */
export function argumentValues<A extends readonly ArgumentType<Value>[]>(hook: Hook<A>): ArgumentsOf<A> {
  return hook.arguments.map((_, index) =>
    pathValue({ kind: 'path', root: { kind: 'argument', index }, steps: [] }),
  ) as unknown as ArgumentsOf<A>
}

/** A hook's declared prototype, as the messages print it. */
export function describePrototype(hook: Hook): string {
  const parts = hook.arguments.map((argument) => {
    const optional = argument.optional === true ? '[optional] ' : ''
    if (argument.struct !== undefined) return `${optional}struct ${argument.struct} *${argument.name}`
    if (argument.string === true) return `${optional}const char *${argument.name}`
    return `${optional}${argument.sizeBytes}-byte integer ${argument.name}`
  })
  return `(${parts.join(', ')})`
}
