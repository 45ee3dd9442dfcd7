/** Many paths as few rows: folders stand for what is in them. */

/** A path, or a folder with how many of the paths are in it. */
export interface FolderRow<T> {
  readonly path: string
  /** One for a path itself. */
  readonly count: number
  /** The entries of the paths. */
  readonly entries: readonly T[]
}

interface Folder<T> {
  readonly path: string
  readonly entries: readonly T[]
}

/**
 * Rows for entries that have paths, in the order of the paths: as many as there are if they have room, else folders in
 * place of the paths in them, opened while there is room, the fullest first.
 */
export function folderRows<T>(
  entries: readonly T[],
  pathOf: (entry: T) => string,
  maxRows: number,
): FolderRow<T>[] {
  const rows = new Set<Folder<T>>(entries.length === 0 ? [] : [{ path: '', entries }])
  const closed = new Set<Folder<T>>()
  for (;;) {
    const fullest = [...rows].reduce<Folder<T> | undefined>(
      (most, one) => (one.entries.length > (most?.entries.length ?? 1) && !closed.has(one) ? one : most),
      undefined,
    )
    if (fullest === undefined) break
    const inside = opened(fullest, pathOf)
    if (rows.size - 1 + inside.length > maxRows) closed.add(fullest)
    else {
      rows.delete(fullest)
      for (const one of inside) {
        rows.add(one)
        // The folder itself, more than once.
        if (one.path === fullest.path) closed.add(one)
      }
    }
  }
  return [...rows]
    .map(({ path, entries: those }) => ({
      path: those.length === 1 ? pathOf(those[0] as T) : `${path}/`,
      count: those.length,
      entries: those,
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What is in a folder, by the next part of the path. */
function opened<T>({ path, entries }: Folder<T>, pathOf: (entry: T) => string): Folder<T>[] {
  const inside = new Map<string, T[]>()
  for (const entry of entries) {
    const full = pathOf(entry)
    const end = full.indexOf('/', path.length + 1)
    const next = end === -1 ? full : full.slice(0, end)
    const same = inside.get(next)
    if (same === undefined) inside.set(next, [entry])
    else same.push(entry)
  }
  return [...inside].map(([next, those]) => ({ path: next, entries: those }))
}
