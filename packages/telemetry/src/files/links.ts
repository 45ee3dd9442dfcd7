/** What the kernel calls a path. */

import { lookUp } from './look-up.js'

/**
 * A path without symbolic links, as far as it exists on file systems of this machine; what does not is as it was given.
 *
 * @param path absolute
 */
export function withoutLinks(path: string): string {
  const parts = path.split('/').filter((part) => part !== '')
  const rest: string[] = []
  for (; parts.length > 0; rest.unshift(parts.pop() as string)) {
    using found = lookUp(Buffer.from(`/${parts.join('/')}`).toString('latin1'))
    if (found === undefined) continue
    const real = textOf(found.path)
    // What is no text cannot be asked for.
    return real === undefined ? path : [real === '/' ? '' : real, ...rest].join('/')
  }
  return path
}

function textOf(bytes: string): string | undefined {
  const text = Buffer.from(bytes, 'latin1').toString()
  return text.includes('\ufffd') ? undefined : text
}

/** Paths, and behind them what others of them are called by the kernel, each once; at most so many. */
export function withRealPaths(
  paths: readonly string[],
  realPathsOf: (path: string) => readonly string[],
  most: number,
): readonly string[] {
  const all = new Set(paths)
  for (const path of paths) {
    for (const real of realPathsOf(path)) if (all.size < paths.length + most) all.add(real)
  }
  return all.size === paths.length ? paths : [...all]
}
