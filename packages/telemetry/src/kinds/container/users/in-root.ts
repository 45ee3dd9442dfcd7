/**
 * Opens files below the root directory of another process, and no others, whatever links lie there: openat2(2) with
 * RESOLVE_IN_ROOT does the same, but Node.js has no such call. Each part of a path is opened by itself and never followed;
 * links are read, and gone after from the root.
 */

import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs'

const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants
/** Opens nothing but the name: a device or FIFO does not notice. Node.js has no name for it. */
export const O_PATH = 0o10000000

const MAX_LINKS = 16
const MAX_PARTS = 128

/** Opens a regular file below the directory `root`; undefined if there is none. */
export function openInRoot(root: number, path: string): number | undefined {
  const above: number[] = []
  try {
    if (!walk(root, path.split('/'), above)) return undefined
    const found = above.at(-1)
    if (found === undefined || !fstatSync(found).isFile()) return undefined
    // It is the one that was looked at: its descriptor leads to it, whatever has its name now.
    return openSync(`/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return undefined
  } finally {
    for (const fd of above) closeSync(fd)
  }
}

/** Goes down from `root`; `above` are the descriptors on the way, the last one that of what was found. */
function walk(root: number, parts: string[], above: number[]): boolean {
  let links = 0
  let steps = 0
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    steps += 1
    if (steps > MAX_PARTS) return false
    if (part === '' || part === '.') continue
    if (part === '..') {
      // Above the root is the root.
      const left = above.pop()
      if (left !== undefined) closeSync(left)
      continue
    }
    const name = `/proc/self/fd/${above.at(-1) ?? root}/${part}`
    const fd = openSync(name, O_PATH | O_NOFOLLOW)
    if (!fstatSync(fd).isSymbolicLink()) {
      above.push(fd)
      continue
    }
    closeSync(fd)
    links += 1
    if (links > MAX_LINKS) return false
    const target = readlinkSync(name)
    if (target.startsWith('/')) for (const left of above.splice(0)) closeSync(left)
    parts.unshift(...target.split('/'))
    if (parts.length > MAX_PARTS) return false
  }
  return true
}
