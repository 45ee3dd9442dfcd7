import { readFileSync } from 'node:fs'

// Read with the module: later the process may have no right to the file, and an error would leave an open queue behind.
const TEXT = readFileSync(new URL('../package.json', import.meta.url), 'utf8')

/** The version of the package; all packages of quark have the same. */
export function packageVersion(): string {
  return (JSON.parse(TEXT) as { version: string }).version
}
