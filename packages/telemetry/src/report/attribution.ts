/** Which package and script a process belongs to, as npm, pnpm, yarn and npx say it in the environment. */

/** A step of a command: a script of a package, or another part of it. */
export interface Step {
  /** `left-pad postinstall`, or the name of the program of a part that belongs to no package. */
  readonly name: string
  readonly package?: string
  readonly version?: string
  readonly script?: string
}

/** What names of all variables begin with that are read here. */
export const VARIABLES = 'npm_'
const NAME = 'npm_package_name='
const VERSION = 'npm_package_version='
const SCRIPT = 'npm_lifecycle_event='
const RUN = 'npm_lifecycle_script='
/** The event of what npx runs: the package beside it is the one of the working directory, which has nothing to do with it. */
const NPX = 'npx'
const MAX_CHARS = 214

/** The package whose script an environment is of; undefined if it is of none. */
export function packageOf(env: readonly string[]): Step | undefined {
  let name: string | undefined
  let version: string | undefined
  let script: string | undefined
  let run: string | undefined
  for (const variable of env) {
    if (!variable.startsWith(VARIABLES)) continue
    if (variable.startsWith(NAME)) name = valueOf(variable)
    else if (variable.startsWith(VERSION)) version = valueOf(variable)
    else if (variable.startsWith(SCRIPT)) script = valueOf(variable)
    else if (variable.startsWith(RUN)) run = valueOf(variable)
  }
  if (script === undefined) return undefined
  if (script === NPX) return { name: run === undefined ? NPX : `${NPX} ${toolOf(run)}`, script }
  if (name === undefined) return undefined
  return { name: `${name} ${script}`, package: name, ...(version === undefined ? {} : { version }), script }
}

/** The program of a command line of npx, which has quotes around each word. */
function toolOf(run: string): string {
  return (/^(?:'([^']*)'|"([^"]*)"|(\S+))/.exec(run) ?? []).slice(1).find((text) => text !== undefined) ?? run
}

function valueOf(variable: string): string | undefined {
  const value = variable.slice(variable.indexOf('=') + 1, MAX_CHARS + 64)
  return value === '' ? undefined : value.slice(0, MAX_CHARS)
}
