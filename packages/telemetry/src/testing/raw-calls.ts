/** System calls as they are, for programs of tests that do what no module of Node does. They act on this process. */

import { callNumber, type SystemCall } from 'quark-ebpf/probe'
import koffi from 'koffi'

const syscall = koffi.load(null).func('syscall', 'long', Array<string>(7).fill('long'))

/** Calls it, and returns the result: a negative errno if it failed. */
export function rawCall(name: SystemCall, ...values: readonly (number | bigint)[]): number {
  const result = Number(
    syscall(numberOf(name), ...Array.from({ length: 6 }, (_, index) => values[index] ?? 0)),
  )
  return result === -1 ? -koffi.errno() : result
}

/** Its number on this machine. */
export function numberOf(name: SystemCall): number {
  const number = callNumber(name, process.arch as 'x64' | 'arm64')
  if (number === undefined) throw new Error(`No number is known for ${name}`)
  return number
}

/** Where bytes are in memory; they have to outlive the call. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(koffi.address(bytes))
}

/** Bytes with a NUL behind them. */
export function cstring(text: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(text as string), Buffer.alloc(1)])
}

/** Prints what a program of a test found out: the last line is what the test reads. */
export function report(facts: object): void {
  process.stdout.write(`${JSON.stringify({ pid: process.pid, ...facts })}\n`)
}
