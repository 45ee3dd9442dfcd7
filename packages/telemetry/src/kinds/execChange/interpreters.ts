/** Programs that execute the file that is their first argument: which argument that is. */

import type { Process } from '../../process/process.js'

/** Names of programs, without a version at their end, and the short options that take code, so that no file is executed. */
const FAMILIES = [
  { names: ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh', 'fish'], code: 'cs' },
  { names: ['python', 'pypy'], code: 'cm' },
  { names: ['perl', 'ruby'], code: 'eE' },
  { names: ['node', 'nodejs'], code: 'ep' },
  { names: ['php'], code: 'rBRF' },
  { names: ['lua', 'luajit', 'tclsh'], code: 'e' },
] as const

const LONG_CODE = new Set(['--command', '--eval', '--print'])

const CODE_OF: ReadonlyMap<string, string> = new Map(
  FAMILIES.flatMap(({ names, code }) => names.map((name) => [name, code])),
)

/** The first characters by which programs in the kernel know that a name may be one of these. */
export const PREFIX_BYTES = 3

/** Those characters as numbers, the first one lowest. Of a name that is shorter its end is one of them. */
export const PREFIXES: readonly number[] = [
  ...new Set([...CODE_OF.keys()].map((name) => Buffer.from(`${name}\0`).readUIntLE(0, PREFIX_BYTES))),
]

/** A name and its version. From its beginning: names are as long as whoever executes something wants. */
const VERSIONED = /^([a-z]+)[\d.]*$/

/** What takes code, of an interpreter. */
function codeOptionsOf(path: string | undefined): string | undefined {
  const [, name] = path === undefined ? [] : (VERSIONED.exec(baseName(path)) ?? [])
  return name === undefined ? undefined : CODE_OF.get(name)
}

/**
 * The argument that is a script, whether or not there is such a file. Undefined if the program is none of those that
 * are known, or executes something else.
 */
export function scriptArgument({ exe, argv = [] }: Pick<Process, 'exe' | 'argv'>): string | undefined {
  // What has many names, such as busybox, is one of them by that which it was called.
  const code = codeOptionsOf(exe) ?? codeOptionsOf(argv[0])
  if (code === undefined) return undefined
  for (const argument of argv.slice(1)) {
    if (!/^[-+]./.test(argument)) return argument
    const isLong = argument.startsWith('--')
    if (isLong ? LONG_CODE.has(argument) : [...code].some((letter) => argument.includes(letter)))
      return undefined
  }
  return undefined
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
