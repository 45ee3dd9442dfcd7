import { closeSync, openSync, readSync } from 'node:fs'
import type { ProcessRecord } from '../entry.js'
import { readLatin1 } from './read.js'

/** Servers set what is looked for first. */
const MAX_BYTES = 16 << 10

/**
 * The beginning of the environment of a process that runs here, as it has it now.
 *
 * @returns undefined when it has ended, or may not be read
 */
export function readEnvironment(process: ProcessRecord): readonly string[] | undefined {
  const text = readStart(`/proc/${process.pid}/environ`)
  // Read afterwards: if the pid has gone to another process meanwhile, what was read may be that one's.
  if (text === undefined || !isStill(process)) return undefined
  return text.split('\0').filter((variable) => variable !== '')
}

function readStart(path: string): string | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    const buffer = Buffer.allocUnsafe(MAX_BYTES)
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, MAX_BYTES, null))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function isStill(process: ProcessRecord): boolean {
  const stat = readLatin1(`/proc/${process.pid}/stat`)
  const start = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return start !== undefined && Number(start) === process.startTicks
}
