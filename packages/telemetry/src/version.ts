import { readFileSync } from 'node:fs'

/** The version of the package; all packages of quark have the same. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
