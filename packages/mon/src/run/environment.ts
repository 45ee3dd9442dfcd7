/** Arguments and environment as the kernel has them: Node decodes them, and not all bytes come back. */

import { readFileSync } from 'node:fs'
import { START_VARIABLE } from './start-state.js'

/** The last arguments of this process, each with its final NUL. */
export function lastArguments(texts: readonly string[]): Buffer[] {
  const found = strings('/proc/self/cmdline')?.slice(-texts.length)
  const isSame = found?.length === texts.length && found.every((bytes, at) => textOf(bytes) === texts[at])
  return isSame ? found : texts.map((text) => Buffer.from(`${text}\0`))
}

/** The environment of this process, as it was at the start, with some variables set; undefined removes one. */
export function environmentWith(changes: Readonly<Record<string, string | undefined>>): Buffer[] {
  const kept = environmentStrings().filter((bytes) => {
    const name = bytes.subarray(0, bytes.indexOf('=')).toString('latin1')
    return name !== START_VARIABLE && !Object.hasOwn(changes, name)
  })
  const set = Object.entries(changes).flatMap(([name, value]) =>
    value === undefined ? [] : Buffer.from(`${name}=${value}\0`),
  )
  return [...kept, ...set]
}

function environmentStrings(): Buffer[] {
  return (
    strings('/proc/self/environ') ??
    Object.entries(process.env).map(([name, value]) => Buffer.from(`${name}=${value ?? ''}\0`))
  )
}

function strings(file: string): Buffer[] | undefined {
  let bytes
  try {
    bytes = readFileSync(file)
  } catch {
    return undefined
  }
  const found: Buffer[] = []
  let from = 0
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, from)) {
    found.push(bytes.subarray(from, end + 1))
    from = end + 1
  }
  return found
}

function textOf(bytes: Buffer): string {
  return bytes.toString('utf8', 0, bytes.length - 1)
}
