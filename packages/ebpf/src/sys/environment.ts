/**
 * Node's environment of this thread, through its embedder API (src/node.h, include/v8-isolate.h): its event loop, and
 * cleanup hooks. A worker may be terminated at any moment without running any more JavaScript: without these hooks its
 * descriptors and memory would leak.
 */

import { isMainThread } from 'node:worker_threads'
import { type Address, callNative, symbolAddress } from './libc.js'

/** C++ names as both GCC and Clang spell them. */
const CURRENT_ISOLATE = '_ZN2v87Isolate10GetCurrentEv'
const EVENT_LOOP = '_ZN4node19GetCurrentEventLoopEPN2v87IsolateE'
const ADD_HOOK = '_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_'
const REMOVE_HOOK = '_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_'

let isolate: Address | undefined

/** Whether all of these functions exist: some builds of Node export none of their symbols. */
function has(...names: readonly string[]): boolean {
  return names.every((name) => symbolAddress(name) !== undefined)
}

function currentIsolate(): Address {
  isolate ??= BigInt(callNative(CURRENT_ISOLATE, 'void *', []) as Address)
  return isolate
}

/** The `uv_loop_t` of the main thread; undefined in workers, and if this build of Node does not export it. */
export function eventLoop(): Address | undefined {
  if (!isMainThread || !has(CURRENT_ISOLATE, EVENT_LOOP, 'uv_poll_init')) return undefined
  const loop = callNative(EVENT_LOOP, 'void *', ['void *'], currentIsolate()) as Address | null
  return loop === null ? undefined : BigInt(loop)
}

/** Functions of C that take one argument, by their names. */
const functions = new Map<string, Address | undefined>()

function functionAddress(name: string): Address | undefined {
  if (!functions.has(name)) functions.set(name, symbolAddress(name))
  return functions.get(name)
}

/** Whether this thread can end before the process. */
const isWorker = !isMainThread && process.platform === 'linux'

/**
 * Registers a C function to be called with `argument` when this thread ends. Does nothing on the main thread, with
 * which the process ends, or if Node does not export cleanup hooks. The same pair must not be registered twice.
 */
export function atEnd(name: string, argument: Address): void {
  callHook(ADD_HOOK, name, argument)
}

/** Cancels what `atEnd` registered. */
export function cancelAtEnd(name: string, argument: Address): void {
  callHook(REMOVE_HOOK, name, argument)
}

function callHook(hook: string, name: string, argument: Address): void {
  if (!isWorker || !has(CURRENT_ISOLATE, ADD_HOOK, REMOVE_HOOK)) return
  const address = functionAddress(name)
  if (address === undefined) return
  callNative(hook, 'void', ['void *', 'void *', 'void *'], currentIsolate(), address, argument)
}
