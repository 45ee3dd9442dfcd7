/** The files that a run uses: none is used for two things, and none is overwritten unasked. */

import { fstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { quote, UsageError } from './arguments.js'
import { DEFAULT_KEEP, isRotated } from './rotation.js'
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
  rotation,
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
  if (output === undefined || !isRotated(rotation)) return
  const { keep = DEFAULT_KEEP } = rotation
  const place = realPlaceOf(output)
  for (const { by, path } of uses.slice(0, -1)) {
    if (path === undefined) continue
    const own = realPlaceOf(path)
    const number = own.startsWith(`${place}.`) ? own.slice(place.length + 1) : ''
    if (!/^[1-9]\d*$/.test(number) || Number(number) > keep) continue
    throw new UsageError(
      `${by} names ${quote(path)}, which is renamed when the file of -o is rotated: give another file`,
    )
  }
}

/** Where a file is or would be made, through links. */
function realPlaceOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return placeOf(path)
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
