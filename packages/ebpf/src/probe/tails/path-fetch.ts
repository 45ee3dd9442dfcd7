/**
 * Paths by fetch arguments. A fetch argument cannot loop, so each component is an argument of its own, as deep
 * as one can reach; the walk itself is done in user space, by comparing the pointers that came along.
 *
 *     mount 0   the file's own      d0 ← d1 ← d2 … up to the root of the mount
 *     mount 1   where that is mounted    d0 ← d1 …
 *     mount 2   and where that is
 */

import { type FetchArgs, fetchAt, type FetchedValues, type ReadValue } from '../fetch-list.js'
import type { PathOffsets } from './path-offsets.js'

/** Mounts whose components have names, and further ones of which only their roots are known: such as rootfs. */
const MAX_NAMED_MOUNTS = 3
const MAX_MOUNTS = 5
/** Components per mount: no argument reaches further. */
const MAX_COMPONENTS = 12
/** NAME_MAX and the terminator; names that the kernel makes up are shorter. */
const MAX_NAME_BYTES = 256

/** Where the pointers to a path's dentry and mount, and to those of the process's root, are fetched from. */
export interface PathTexts {
  readonly dentry: string
  readonly mount: string
  readonly rootDentry: string
  readonly rootMount: string
}

/** One dentry: its address, and its name by one of two ways. */
interface Component {
  readonly address: number
  readonly name: ReadName | undefined
}

type ReadName = ReadValue<Buffer | undefined>

/** What is fetched of one mount. */
interface MountLevel {
  /** Its root dentry. */
  readonly root: number
  /** The `struct mount` that it is mounted on. */
  readonly parent: number
  readonly components: readonly Component[]
}

/** The known part of a path, as `encodeRecord` takes it. */
export interface FetchedPath {
  readonly path: Uint8Array
  readonly root?: Uint8Array | undefined
  readonly deleted?: boolean
  readonly truncated: boolean
}

/**
 * Plans the arguments of a path. Reading returns undefined if there is no path; if the walk did not reach the process's
 * root, the known components from the leaf on, marked as truncated.
 */
export function planPath(
  args: FetchArgs,
  texts: PathTexts,
  offsets: PathOffsets,
): ReadValue<FetchedPath | undefined> | undefined {
  const mount = args.number(texts.mount, 8)
  const rootDentry = args.number(texts.rootDentry, 8)
  const rootMount = args.number(texts.rootMount, 8)
  const hashed = args.number(fetchAt(offsets.dentryHashed, texts.dentry), 8)
  const levels = planLevels(args, texts, offsets)
  const isShort = mount === undefined || rootDentry === undefined || rootMount === undefined
  if (isShort || hashed === undefined || levels.length === 0) return undefined
  const { mountVfsmount } = offsets
  return (values) =>
    new Walk(values, levels, {
      mount: values.number(mount) - BigInt(mountVfsmount),
      rootDentry: values.number(rootDentry),
      rootMount: values.number(rootMount) - BigInt(mountVfsmount),
      isHashed: values.number(hashed) !== 0n,
    }).path()
}

function planLevels(args: FetchArgs, texts: PathTexts, offsets: PathOffsets): MountLevel[] {
  const levels: MountLevel[] = []
  let dentry = texts.dentry
  let mount = texts.mount
  // The first pointer is to the vfsmount within, the others to the mount itself.
  let shift = offsets.mountVfsmount
  for (let level = 0; level < MAX_MOUNTS; level += 1) {
    const root = args.number(fetchAt(offsets.mountVfsmount + offsets.vfsmountRoot - shift, mount), 8)
    const parentText = fetchAt(offsets.mountParent - shift, mount)
    const parent = args.number(parentText, 8)
    const components = planComponents(args, dentry, offsets, level < MAX_NAMED_MOUNTS)
    if (root === undefined || parent === undefined || components.length === 0) break
    levels.push({ root, parent, components })
    dentry = fetchAt(offsets.mountPoint - shift, mount)
    mount = parentText
    shift = 0
  }
  return levels
}

function planComponents(args: FetchArgs, start: string, offsets: PathOffsets, isNamed: boolean): Component[] {
  const components: Component[] = []
  let dentry = start
  for (let depth = 0; depth < MAX_COMPONENTS; depth += 1) {
    const address = args.number(dentry, 8)
    if (address === undefined) break
    const name = isNamed ? planName(args, dentry, offsets) : undefined
    components.push({ address, name })
    if (name === undefined) break
    dentry = fetchAt(offsets.dentryParent, dentry)
  }
  return components
}

function planName(args: FetchArgs, dentry: string, offsets: PathOffsets): ReadName | undefined {
  const named = args.string(fetchAt(0, fetchAt(offsets.dentryName, dentry)), MAX_NAME_BYTES)
  if (named !== undefined) return (values) => trimmed(values.bytes(named))
  // Adds one component: a short name lies in the dentry itself.
  const inline = args.words(fetchAt(offsets.dentryInline, dentry), Math.floor(offsets.dentryInlineBytes / 8))
  if (inline === undefined) return undefined
  const length = args.number(fetchAt(offsets.dentryNameLength, dentry), 4)
  if (length === undefined) return undefined
  return (values) => {
    const sizeBytes = Number(values.number(length))
    const bytes = values.bytes(inline)
    return sizeBytes < bytes.length ? trimmed(bytes.subarray(0, sizeBytes)) : undefined
  }
}

function trimmed(name: Buffer): Buffer {
  const end = name.indexOf(0)
  return end === -1 ? name : name.subarray(0, end)
}

interface Start {
  readonly mount: bigint
  readonly rootDentry: bigint
  readonly rootMount: bigint
  readonly isHashed: boolean
}

/** The end of a walk: at the top of all mounts, at a file without a place, or where nothing more is known. */
type End = 'top' | 'pseudo' | 'cut'

class Walk {
  readonly #values: FetchedValues
  readonly #levels: readonly MountLevel[]
  readonly #start: Start
  /** Leaf first. */
  readonly #names: Buffer[] = []
  /** How many names are below the process's root. */
  #below: number | undefined
  #mount: bigint

  constructor(values: FetchedValues, levels: readonly MountLevel[], start: Start) {
    this.#values = values
    this.#levels = levels
    this.#start = start
    this.#mount = start.mount
  }

  path(): FetchedPath | undefined {
    const first = this.#levels[0]?.components[0]
    if (first === undefined || this.#values.number(first.address) === 0n) return undefined
    const end = this.#walk()
    const deleted = !this.#start.isHashed && this.#names.length > 0
    if (end === 'pseudo') return { path: this.#names[0] ?? Buffer.alloc(0), truncated: false }
    const below = this.#below === undefined ? this.#names : this.#names.slice(0, this.#below)
    const path = joined(below)
    // Outside of the process's root, a path begins at the top.
    if (this.#below === undefined) return { path, truncated: end === 'cut', deleted }
    const root = end === 'top' ? joined(this.#names.slice(this.#below)) : undefined
    return { path, root, truncated: false, deleted }
  }

  #walk(): End {
    for (const { root, parent, components } of this.#levels) {
      const end = this.#climb(this.#values.number(root), components)
      if (end !== 'root') return end
      const above = this.#values.number(parent)
      if (above === this.#mount) return 'top'
      this.#mount = above
    }
    return 'cut'
  }

  /** Up to the root of the mount. */
  #climb(mountRoot: bigint, components: readonly Component[]): 'root' | 'pseudo' | 'cut' {
    for (const [depth, { address, name }] of components.entries()) {
      const dentry = this.#values.number(address)
      if (dentry === this.#start.rootDentry && this.#mount === this.#start.rootMount) {
        this.#below ??= this.#names.length
      }
      if (dentry === mountRoot) return 'root'
      const bytes = name?.(this.#values)
      if (bytes === undefined) return 'cut'
      this.#names.push(bytes)
      const above = components[depth + 1]
      // Its own parent, and not the root of a mount: a file without a place.
      if (above !== undefined && this.#values.number(above.address) === dentry) return 'pseudo'
    }
    return 'cut'
  }
}

function joined(names: readonly Buffer[]): Buffer {
  return Buffer.from(
    `/${names
      .map((name) => name.toString('latin1'))
      .toReversed()
      .join('/')}`,
    'latin1',
  )
}
