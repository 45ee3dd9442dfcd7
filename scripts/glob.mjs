import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Files below `folder` whose path matches, sorted; node_modules are left out. */
export function globSync(folder, pattern) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !path.includes('node_modules') && pattern.test(path))
    .sort()
}
