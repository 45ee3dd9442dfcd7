/** Files that are written to at their end. */

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

const NEWLINE = 10

/**
 * Makes an open file ready to be appended to: empties it, or ends a line that a killed run left without its end. Leaves
 * alone what is no regular file.
 *
 * @returns the bytes that are in it
 */
export function readyToAppend(fd: number, path: string, truncates: boolean): number {
  const found = fstatSync(fd)
  if (!found.isFile() || found.size === 0) return 0
  if (truncates) {
    ftruncateSync(fd)
    return 0
  }
  if (endsLine(path, found.size)) return found.size
  writeSync(fd, '\n')
  return found.size + 1
}

function endsLine(path: string, size: number): boolean {
  const fd = openSync(path, 'r')
  try {
    const last = Buffer.alloc(1)
    return readSync(fd, last, 0, 1, size - 1) === 0 || last[0] === NEWLINE
  } finally {
    closeSync(fd)
  }
}
