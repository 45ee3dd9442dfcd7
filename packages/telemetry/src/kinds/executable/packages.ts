/** Which package has a file, as the databases of packages on its root say. Reads files: it may block as those do. */

import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs'
import type { FilePackage } from '../../process/executable.js'

/** Databases of so many roots are remembered. */
const MOST_ROOTS = 4
/** Of each no more is read. */
const MAX_DATABASE_BYTES = 256 << 20
const MAX_JSON_BYTES = 1 << 20
const MAX_TEXT = 256
const RPM_MS = 10_000

/** Files by hashes of their paths, with numbers of packages. */
interface Database {
  readonly version: string
  readonly packages: readonly FilePackage[]
  readonly owners: ReadonlyMap<number, number>
}

interface Format {
  /** Changes when the database does. */
  readonly stamp: string
  read(root: string, budget: Budget): { packages: FilePackage[]; owners: Map<number, number> }
}

/** Reads files as long as their sum has room. */
class Budget {
  #left = MAX_DATABASE_BYTES
  readonly #advance: () => void

  constructor(advance: () => void) {
    this.#advance = advance
  }

  text(path: string, most = this.#left): string {
    this.#advance()
    const fd = openSync(path, 'r')
    try {
      const { size } = fstatSync(fd)
      if (size > most || size > this.#left) throw new Error('too large')
      const bytes = Buffer.allocUnsafe(size)
      let length = 0
      for (let got = -1; got !== 0 && length < size; length += got)
        got = readSync(fd, bytes, length, size - length, null)
      this.#left -= length
      return bytes.toString('utf8', 0, length)
    } finally {
      closeSync(fd)
    }
  }
}

/** Two hashes of 26 bits, by FNV-1a and a variant of it, as one number. */
function hashOf(path: string): number {
  let first = 0x811c9dc5
  let second = 0x1000193
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    first = Math.imul(first ^ code, 0x1000193)
    second = Math.imul(second ^ code, 0x85ebca6b) ^ (second >>> 13)
  }
  return (first >>> 6) * 2 ** 26 + (second >>> 6)
}

function known(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text.length > MAX_TEXT ? undefined : text
}

/** Paragraphs of `Name: value` lines, of which those with these names are read. */
function* paragraphs(text: string, names: readonly string[]): Iterable<(string | undefined)[]> {
  for (const paragraph of text.split('\n\n')) {
    const values = new Array<string | undefined>(names.length).fill(undefined)
    for (const line of paragraph.split('\n')) {
      const colon = line.indexOf(':')
      const at = colon < 0 ? -1 : names.indexOf(line.slice(0, colon))
      if (at >= 0) values[at] = known(line.slice(colon + 1).trim())
    }
    yield values
  }
}

const dpkg: Format = {
  stamp: '/var/lib/dpkg/status',
  read(root, budget) {
    const packages: FilePackage[] = []
    const owners = new Map<number, number>()
    const numbers = new Map<string, number>()
    const status = budget.text(`${root}/var/lib/dpkg/status`)
    for (const [name, version, architecture, state] of paragraphs(status, [
      'Package',
      'Version',
      'Architecture',
      'Status',
    ])) {
      if (name === undefined || state?.endsWith(' installed') !== true) continue
      numbers.set(name, packages.length)
      numbers.set(`${name}:${architecture}`, packages.length)
      packages.push({ type: 'deb', name, version, architecture })
    }
    const folder = `${root}/var/lib/dpkg/info`
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.list')) continue
      const number = numbers.get(file.slice(0, -'.list'.length))
      if (number === undefined) continue
      for (const path of budget.text(`${folder}/${file}`).split('\n')) owners.set(hashOf(path), number)
    }
    return { packages, owners }
  },
}

const apk: Format = {
  stamp: '/lib/apk/db/installed',
  read(root, budget) {
    const packages: FilePackage[] = []
    const owners = new Map<number, number>()
    for (const paragraph of budget.text(`${root}/lib/apk/db/installed`).split('\n\n')) {
      const values: Record<string, string | undefined> = {}
      let folder = ''
      for (const line of paragraph.split('\n')) {
        const value = line.slice(2)
        if (line.startsWith('F:')) folder = value === '' ? '' : `/${value}`
        else if (line.startsWith('R:')) owners.set(hashOf(`${folder}/${value}`), packages.length)
        else values[line.slice(0, 2)] = known(value)
      }
      const { 'P:': name, 'V:': version, 'A:': architecture } = values
      // What was noted of a package without a name belongs to nobody.
      packages.push({ type: 'apk', name: name ?? '', version, architecture })
    }
    return { packages, owners }
  },
}

/** The databases of roots; each is read when a file on its root is first looked up, and again when it has changed. */
export class Packages {
  readonly #databases = new Map<string, Database>()
  readonly #advance: () => void

  /** `advance` is called whenever something was read: whoever waits knows then that nothing hangs. */
  constructor(advance: () => void = () => undefined) {
    this.#advance = advance
  }

  /**
   * The package that has a file.
   *
   * @param root the root directory that the path begins at: empty for this process's own
   */
  ownerOf(root: string, path: string): FilePackage | undefined {
    // Debian lists files where they were before /bin and others became links.
    const names = path.startsWith('/usr/') ? [path, path.slice('/usr'.length)] : [path, `/usr${path}`]
    return (
      moduleOf(root, path) ??
      this.#listed(dpkg, root, names) ??
      this.#listed(apk, root, names) ??
      (root === '' ? rpmOwnerOf(path) : undefined)
    )
  }

  #listed(format: Format, root: string, names: readonly string[]): FilePackage | undefined {
    const database = this.#databaseOf(format, root)
    for (const name of names) {
      const number = database?.owners.get(hashOf(name))
      const found = number === undefined ? undefined : database?.packages[number]
      if (found !== undefined && found.name !== '') return found
    }
    return undefined
  }

  #databaseOf(format: Format, root: string): Database | undefined {
    let key: string
    let version: string
    try {
      const { dev, ino, mtimeNs, size } = statSync(`${root}${format.stamp}`, { bigint: true })
      // The same file is that of the same root, by whichever process it is reached.
      key = `${format.stamp} ${dev}`
      version = `${ino} ${mtimeNs} ${size}`
    } catch {
      return undefined
    }
    const before = this.#databases.get(key)
    this.#databases.delete(key)
    let database = before
    if (before?.version !== version) {
      try {
        database = { version, ...format.read(root, new Budget(this.#advance)) }
      } catch {
        // Broken, or larger than databases are.
        database = { version, packages: [], owners: new Map() }
      }
    }
    if (database !== undefined) this.#databases.set(key, database)
    for (const oldest of this.#databases.keys()) {
      if (this.#databases.size <= MOST_ROOTS) break
      this.#databases.delete(oldest)
    }
    return database
  }
}

/** The package of npm that a path is in. */
function moduleOf(root: string, path: string): FilePackage | undefined {
  if (!path.includes('/node_modules/')) return undefined
  let real = path
  try {
    // Commands of packages are links to their files. Those of another root may lead elsewhere here.
    if (root === '') real = realpathSync(path)
  } catch {
    return undefined
  }
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?(?!\.)[^/]+)\//.exec(real) ?? []
  if (folder === undefined) return undefined
  try {
    const text = new Budget(() => undefined).text(`${root}${folder}/package.json`, MAX_JSON_BYTES)
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown }
    if (typeof name !== 'string' || known(name) === undefined) return undefined
    return {
      type: 'npm',
      name,
      version: typeof version === 'string' ? known(version) : undefined,
      architecture: undefined,
    }
  } catch {
    return undefined
  }
}

/** False once there is no rpm, or no database of it. */
let hasRpm: boolean | undefined

function rpmOwnerOf(path: string): FilePackage | undefined {
  hasRpm ??= ['/usr/lib/sysimage/rpm', '/var/lib/rpm'].some((folder) => {
    try {
      return statSync('/usr/bin/rpm').isFile() && readdirSync(folder).length > 0
    } catch {
      return false
    }
  })
  if (!hasRpm) return undefined
  try {
    const format = '%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'
    const answer = execFileSync('/usr/bin/rpm', ['-qf', '--qf', format, path], {
      timeout: RPM_MS,
      maxBuffer: 1 << 16,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [name, version, architecture] = (answer.split('\n')[0] ?? '').split('\t')
    if (known(name) === undefined || version === undefined) return undefined
    return { type: 'rpm', name: name as string, version: known(version), architecture: known(architecture) }
  } catch {
    return undefined
  }
}
