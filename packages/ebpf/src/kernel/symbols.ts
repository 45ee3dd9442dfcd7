/** Functions of the running kernel, as /proc/kallsyms has them. */

import { readFileSync } from 'node:fs'

const PART = /^\S+ \w ([\w$]+)\.part\.\d+/gm

let cut: ReadonlySet<string> | undefined

/** Whether the compiler has inlined the beginning of a function into callers in the same source file (partial inlining). */
export function isPartlyInlined(name: string): boolean {
  cut ??= partlyInlined(readSymbols())
  return cut.has(name)
}

/** The functions of which a part has a symbol of its own. */
export function partlyInlined(symbols: string): ReadonlySet<string> {
  return new Set(Array.from(symbols.matchAll(PART), ([, name]) => name as string))
}

function readSymbols(): string {
  try {
    return readFileSync('/proc/kallsyms', 'latin1')
  } catch {
    // Without /proc nothing is known of it.
    return ''
  }
}
