/** The files that a run uses: none is used for two things, and none is overwritten unasked. */

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { quote, UsageError } from './arguments.js'
import type { Settings } from './settings.js'

/** What a run does with a file. */
interface Use {
  /** The option, or the stream. */
  readonly by: string
  readonly path: string | undefined
  readonly fd?: number
}

const STANDARD_INPUT: Use = { by: '--replay', path: undefined, fd: 0 }

/**
 * Refuses files that a run would read and write, or write twice, by whatever names or links they are reached. Nothing is opened
 * or made.
 *
 * @throws {UsageError} naming both uses
 */
export function checkFiles({
  output,
  replay = [],
  processGraph,
  quark: { record },
  truncate,
}: Settings): void {
  if (truncate && output === undefined && record === undefined) {
    throw new UsageError('--truncate has no effect: give -o FILE or --record FILE too')
  }
  const standardOutput: Use = { by: 'standard output', path: undefined, fd: 1 }
  const uses: Use[] = [
    ...replay.map((path): Use => (path === '-' ? STANDARD_INPUT : { by: '--replay', path })),
    { by: '--record', path: record },
    { by: '--process-graph', path: processGraph },
    output === undefined ? standardOutput : { by: '--output', path: output },
  ]
  const seen = new Map<string, Use>()
  for (const use of uses) {
    const key = keyOf(use)
    if (key === undefined) continue
    const other = seen.get(key)
    if (other !== undefined) {
      const names = other.by === use.by ? `${use.by} names` : `${other.by} and ${use.by} use`
      const path = use.path ?? other.path ?? ''
      throw new UsageError(`${names} the same file twice, ${quote(path)}: give different files`)
    }
    seen.set(key, use)
  }
}

/** The same for all names of one file; undefined for what many may use, such as /dev/null and terminals. */
function keyOf({ path, fd }: Use): string | undefined {
  if (path === undefined && fd === undefined) return undefined
  const found = path === undefined ? statOf(() => fstatSync(fd as number)) : statOf(() => statSync(path))
  if (found !== undefined) return found.isCharacterDevice() ? undefined : `${found.dev}:${found.ino}`
  return path === undefined ? undefined : placeOf(path)
}

/** Where a file would be made. */
function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}

function statOf(stat: () => Stats): Stats | undefined {
  try {
    return stat()
  } catch {
    return undefined
  }
}

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
