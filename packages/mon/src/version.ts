import { readFileSync } from 'node:fs'

/** The version of the package that all its commands are of. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
