/** Which files are sensitive: what is watched if nothing else is asked for, and how paths are compared. */

import { lstatSync, readdirSync, realpathSync } from 'node:fs'
import { numberOfDev } from '../../files/mounts.js'
import type { Root } from '../../files/selection.js'

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
const MAX_DIRECTORIES = 32
/** Names that programs compare. */
const MAX_NAMES = 16

/** What programs compare. */
export interface KernelPlaces {
  /** All below is wanted, or is compared once more in user space. */
  readonly below: readonly Root[]
  /** Directories in which files with one of these names are wanted, whatever inode they have. */
  readonly parents: readonly Root[]
  readonly names: readonly string[]
  readonly procNames: readonly string[]
}

/** What was asked for. */
export class AccessPlaces {
  readonly #paths: readonly string[]
  readonly #patterns: readonly RegExp[]

  /** @param asked the option */
  constructor(asked: boolean | readonly string[]) {
    this.#paths = typeof asked === 'boolean' ? SENSITIVE : asked
    this.#patterns = this.#paths.map((path) => patternOf(path.replace(/\/+$/, '')))
  }

  /** Whether a path is asked for, or lies below one. */
  wants(path: string): boolean {
    return this.#patterns.some((pattern) => pattern.test(path))
  }

  /** What there is of it now. What is made later is only found where its directory was there. */
  kernel(): KernelPlaces {
    const below: Root[] = []
    const parents: Root[] = []
    const names = new Set<string>()
    const procNames: string[] = []
    for (const path of this.#paths) {
      const proc = PROC.exec(path)
      if (proc !== null) {
        procNames.push(proc[1] as string)
        continue
      }
      const slash = path.lastIndexOf('/')
      const last = path.slice(slash + 1)
      for (const directory of expanded(path.slice(0, slash))) {
        const whole = `${directory}/${last}`
        if (GLOB.test(last)) add(below, directory || '/')
        else if (isDirectory(whole)) add(below, whole)
        else if (names.size < MAX_NAMES) {
          add(parents, directory || '/')
          names.add(last)
        }
      }
    }
    return { below, parents, names: [...names], procNames }
  }
}

function isDirectory(path: string): boolean {
  try {
    return lstatSync(realpathSync(path)).isDirectory()
  } catch {
    return false
  }
}

function add(roots: Root[], path: string): void {
  if (roots.length >= MAX_DIRECTORIES) return
  try {
    const { dev, ino } = lstatSync(realpathSync(path), { bigint: true })
    roots.push({ device: numberOfDev(dev), inode: ino })
  } catch {
    // It is not there.
  }
}

/** The directories that a path with globs stands for now. */
function expanded(path: string): string[] {
  let found = ['']
  for (const part of path.split('/').slice(1)) {
    found = found.flatMap((directory) =>
      GLOB.test(part) ? matchesIn(directory, part) : [`${directory}/${part}`],
    )
  }
  return found
}

function matchesIn(directory: string, glob: string): string[] {
  const pattern = new RegExp(`^${globSource(glob)}$`)
  try {
    const names = readdirSync(directory === '' ? '/' : directory).filter((name) => pattern.test(name))
    return names.slice(0, MAX_DIRECTORIES).map((name) => `${directory}/${name}`)
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
