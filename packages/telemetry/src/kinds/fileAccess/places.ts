/** Which files are sensitive: what is watched if nothing else is asked for, and how paths are compared. */

import { readdirSync } from 'node:fs'
import { withoutLinks, withRealPaths } from '../../files/links.js'
import { lookUp } from '../../files/look-up.js'
import { readMountTable } from '../../files/mounts.js'
import { bytesOf, type Root, rootAt } from '../../files/selection.js'

/** Credentials, and what shows or changes the memory of processes. */
export const SENSITIVE: readonly string[] = [
  '/etc/shadow',
  '/etc/gshadow',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/etc/ssh/ssh_host_*_key',
  '/etc/krb5.keytab',
  '/etc/kubernetes/admin.conf',
  '/root/.ssh',
  '/home/*/.ssh',
  '/root/.aws',
  '/home/*/.aws',
  '/root/.kube',
  '/home/*/.kube',
  '/root/.docker/config.json',
  '/home/*/.docker/config.json',
  '/root/.netrc',
  '/home/*/.netrc',
  '/proc/*/mem',
  '/proc/*/environ',
  '/proc/*/maps',
]

/** Names below `/proc/<pid>` that can be asked for. */
export const PROC_NAMES = ['mem', 'environ', 'maps'] as const

const PROC = /^\/proc\/\*\/(mem|environ|maps)$/
const GLOB = /[*?[]/
/** Directories that a glob may stand for, all together. */
export const MAX_DIRECTORIES = 32
/** Names that a glob may stand for, each of which is looked at. */
const MAX_CANDIDATES = 1024
/** Names that programs compare. */
export const MAX_NAMES = 16

/** Files with one of the names, whatever inode they have, directly in one of the directories. */
export interface NamedFiles {
  readonly names: readonly string[]
  readonly parents: readonly Root[]
}

/** What programs compare. */
export interface KernelPlaces {
  /** Directories below which all is wanted. */
  readonly below: readonly Root[]
  /** Those below which names are compared once more in user space. */
  readonly globs: readonly Root[]
  readonly named: readonly NamedFiles[]
  readonly procNames: readonly string[]
  /** What of it is not there, or served by others. */
  readonly absent: readonly string[]
  /** What programs have no room for. */
  readonly left: readonly string[]
}

/** Paths that are looked for beside those that were asked for. */
const MAX_REAL_PATHS = 256

/** Paths of the option, and what the kernel calls those of them that lead through symbolic links. */
export function resolvedPlaces(asked: boolean | readonly string[]): boolean | readonly string[] {
  if (asked === false) return asked
  const paths = asked === true ? SENSITIVE : asked
  const resolved = withRealPaths(paths, realPathsOf, MAX_REAL_PATHS)
  return resolved === paths ? asked : resolved
}

function realPathsOf(path: string): string[] {
  if (PROC.test(path)) return []
  const slash = path.lastIndexOf('/')
  const last = path.slice(slash + 1)
  return expanded(path.slice(0, slash)).flatMap((directory) => {
    const real = withoutLinks(directory || '/')
    const all = real === directory ? [] : [`${real === '/' ? '' : real}/${last}`]
    const names = GLOB.test(last) ? matchesIn(directory || '/', last) : [`${directory}/${last}`]
    return [...all, ...names.map((name) => withoutLinks(name)).filter((name) => !names.includes(name))]
  })
}

/** What was asked for. */
export class AccessPlaces {
  readonly #paths: readonly string[]
  readonly #patterns: readonly RegExp[]
  /** Names that globs at the ends of paths stand for. */
  readonly #names: readonly RegExp[]

  /** @param asked the option */
  constructor(asked: boolean | readonly string[]) {
    this.#paths = typeof asked === 'boolean' ? SENSITIVE : asked
    this.#patterns = this.#paths.map((path) => patternOf(path.replace(/\/+$/, '')))
    const last = this.#paths.map((path) => path.slice(path.lastIndexOf('/') + 1))
    this.#names = last
      .filter((name) => GLOB.test(name))
      .map((name) => new RegExp(`^${globSource(name)}$`, 's'))
  }

  /** Whether a path is asked for, or lies below one. */
  wants(path: string): boolean {
    return this.#patterns.some((pattern) => pattern.test(path))
  }

  /** Whether a path may be one that a glob stands for, of a file below the directory of one, whatever that is called. */
  mayBeNamed(path: string): boolean {
    const parts = path.split('/')
    return this.#names.some((name) => parts.some((part) => name.test(part)))
  }

  /**
   * What there is of it now. What is made later is only found where its directory was there, and on file systems that
   * others serve nothing is: an ordinary user can make one that never answers of a home directory.
   */
  kernel(): KernelPlaces {
    const found: Found = { below: [], globs: [], parents: [], named: new Map(), procNames: [] }
    const absent: string[] = []
    const left: string[] = []
    const table = readMountTable()
    for (const path of this.#paths) {
      const outcome = take(path, found, table)
      if (outcome === 'absent') absent.push(path)
      if (outcome === 'left') left.push(path)
    }
    const { below, globs, named, procNames } = found
    return { below, globs, named: grouped(named), procNames, absent, left }
  }
}

/** What was found so far of all that is asked for. */
interface Found {
  readonly below: Root[]
  readonly globs: Root[]
  /** All directories of names. */
  readonly parents: Root[]
  /** The directories of each name. */
  readonly named: Map<string, Root[]>
  readonly procNames: string[]
}

/** Names with the same directories together. */
function grouped(named: ReadonlyMap<string, readonly Root[]>): NamedFiles[] {
  const groups = new Map<string, { names: string[]; parents: readonly Root[] }>()
  for (const [name, parents] of named) {
    const key = parents
      .map(({ device, inode }) => `${device}:${inode}`)
      .toSorted()
      .join()
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { names: [name], parents })
    else group.names.push(name)
  }
  return [...groups.values()]
}

type Outcome = 'taken' | 'absent' | 'left'

/** Adds what there is of a path. */
function take(path: string, found: Found, table: string): Outcome {
  const proc = PROC.exec(path)
  if (proc !== null) {
    found.procNames.push(proc[1] as string)
    return 'taken'
  }
  const slash = path.lastIndexOf('/')
  const last = path.slice(slash + 1)
  const directories = expanded(path.slice(0, slash))
  const outcomes = directories.slice(0, MAX_CANDIDATES).map((directory): Outcome => {
    if (GLOB.test(last)) return add(found.globs, directory || '/', table)
    if (isDirectory(`${directory}/${last}`)) return add(found.below, `${directory}/${last}`, table)
    const parents = found.named.get(last) ?? []
    if (parents.length === 0 && found.named.size >= MAX_NAMES) return 'left'
    const outcome = add(found.parents, directory || '/', table, parents)
    if (parents.length > 0) found.named.set(last, parents)
    return outcome
  })
  if (outcomes.includes('left') || directories.length > MAX_CANDIDATES) return 'left'
  return outcomes.includes('taken') ? 'taken' : 'absent'
}

function isDirectory(path: string): boolean {
  using found = lookUp(bytesOf(path))
  return found?.stat.isDirectory() === true
}

/** @param also where it is added, too */
function add(roots: Root[], path: string, table: string, also: Root[] = []): Outcome {
  const root = rootAt(bytesOf(path), table)
  if (root === undefined) return 'absent'
  if (!has(roots, root)) {
    if (roots.length >= MAX_DIRECTORIES) return 'left'
    roots.push(root)
  }
  if (!has(also, root)) also.push(root)
  return 'taken'
}

function has(roots: readonly Root[], { device, inode }: Root): boolean {
  return roots.some((root) => root.device === device && root.inode === inode)
}

/** The directories that a path with globs stands for now. */
function expanded(path: string): string[] {
  let found = ['']
  for (const part of path.split('/').slice(1)) {
    found = found
      .flatMap((directory) => (GLOB.test(part) ? matchesIn(directory, part) : [`${directory}/${part}`]))
      .slice(0, MAX_CANDIDATES + 1)
  }
  return found
}

function matchesIn(directory: string, glob: string): string[] {
  const pattern = new RegExp(`^${globSource(glob)}$`)
  try {
    using found = lookUp(bytesOf(directory))
    if (found === undefined) return []
    const names = readdirSync(found.reference).filter((name) => pattern.test(name))
    // One more than are looked at, so that it is noticed.
    return names.slice(0, MAX_CANDIDATES + 1).map((name) => `${directory}/${name}`)
  } catch {
    return []
  }
}

/** The path itself, and what lies below it. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.split('/').map(globSource).join('/')}(/|$)`, 's')
}

/** One part of a path: `*`, `?` and sets in brackets stand for characters of a name. */
function globSource(glob: string): string {
  return glob.replaceAll(/\[(!?)([^\]]*)\]|[\s\S]/g, (part, not?: string, set?: string) => {
    if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\\]^]/g, String.raw`\$&`)}]`
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : part.replaceAll(/[\\^$.|+(){}[\]/]/g, String.raw`\$&`)
  })
}
