/** What a path walk needs of a kernel, looked up once per BTF. */

import type { Btf } from '../../btf/index.js'
import { Unresolved } from '../resolve.js'

/** Offsets and type ids of the structures that a path walk goes through. */
export interface PathOffsets {
  readonly dentryParent: number
  readonly dentryNameLength: number
  readonly dentryName: number
  /** Where a short name lies within the dentry itself, and the room that it has there. */
  readonly dentryInline: number
  readonly dentryInlineBytes: number
  /** `d_hash.pprev`: 0 in a dentry that was unlinked. */
  readonly dentryHashed: number
  readonly vfsmountRoot: number
  /** Of the vfsmount within its struct mount. */
  readonly mountVfsmount: number
  readonly mountParent: number
  readonly mountPoint: number
  readonly dentryType: number
  readonly vfsmountType: number
  readonly mountType: number
}

const CACHE = new WeakMap<Btf, PathOffsets | Unresolved>()

export function pathOffsets(btf: Btf): PathOffsets | Unresolved {
  let offsets = CACHE.get(btf)
  if (offsets === undefined) {
    offsets = lookUp(btf)
    CACHE.set(btf, offsets)
  }
  return offsets
}

function lookUp(btf: Btf): PathOffsets | Unresolved {
  const lacking: string[] = []
  const type = (struct: string): number => {
    const id = btf.findStruct(struct)
    if (id === undefined) lacking.push(`no struct ${struct}`)
    return id ?? 0
  }
  const offset = (struct: string, ...members: string[]): number => {
    let at = 0
    let id = type(struct)
    for (const name of members) {
      const member = btf.member(id, name)
      if (member === undefined) {
        lacking.push(`no ${struct}.${members.join('.')}`)
        return 0
      }
      at += member.bitOffset / 8
      id = btf.resolve(member.type)
    }
    return at
  }
  // Renamed in 6.14, when it became a union.
  const dentry = type('dentry')
  const inline = btf.member(dentry, 'd_shortname') ?? btf.member(dentry, 'd_iname')
  if (inline === undefined) lacking.push('no dentry.d_shortname')
  const offsets: PathOffsets = {
    dentryParent: offset('dentry', 'd_parent'),
    dentryNameLength: offset('dentry', 'd_name', 'len'),
    dentryName: offset('dentry', 'd_name', 'name'),
    dentryInline: inline === undefined ? 0 : inline.bitOffset / 8,
    dentryInlineBytes: inline === undefined ? 0 : (btf.sizeOf(inline.type) ?? 0),
    dentryHashed: offset('dentry', 'd_hash', 'pprev'),
    vfsmountRoot: offset('vfsmount', 'mnt_root'),
    mountVfsmount: offset('mount', 'mnt'),
    mountParent: offset('mount', 'mnt_parent'),
    mountPoint: offset('mount', 'mnt_mountpoint'),
    dentryType: dentry,
    vfsmountType: type('vfsmount'),
    mountType: type('mount'),
  }
  return lacking.length > 0 ? new Unresolved(lacking.join(', ')) : offsets
}
