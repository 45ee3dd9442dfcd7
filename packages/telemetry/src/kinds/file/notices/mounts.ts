/** What is mounted at a place, such that whoever unmounts it is not kept from that. */

import { EbpfError, mountAt, MountCopy } from 'quark-ebpf'
import { fileSystemOf, type FoundFile, isServedType, lookUp } from '../../../files/look-up.js'
import { findMount } from '../../../files/mounts.js'

/** Where a file system is mounted. */
export interface MountPlace {
  /** One character a byte. */
  readonly place: string
  readonly device: number
}

/**
 * A copy of what is mounted at a place. Unlike with a file that is open, the mount itself can be unmounted at any time.
 * Undefined if another one is there than the table has, or if others serve it.
 *
 * @param table as `readMountTable` gives it
 * @throws {KernelError} when the kernel refuses to copy it: without CAP_SYS_ADMIN with EPERM, if it is unbindable with EINVAL
 */
export function copyMount({ place: path, device }: MountPlace, table: string): MountCopy | undefined {
  const slash = path.lastIndexOf('/')
  using directory = path === '/' ? undefined : lookUp(path.slice(0, slash) || '/', undefined, table)
  if (directory === undefined && path !== '/') return undefined
  const bytes = Buffer.from(`${directory?.reference ?? ''}${path.slice(slash)}`, 'latin1')
  const before = mountAt(bytes)
  const mount = before === undefined ? undefined : findMount(table, before.id)
  if (before === undefined || mount?.device !== device || isServedType(mount.type)) return undefined
  const copy = MountCopy.of(bytes)
  // A file system has its number as long as it is there, which it is before and after.
  const after = mountAt(bytes)
  if (after?.id === before.id && after.device === before.device && copy.device === before.device) return copy
  copy[Symbol.dispose]()
  return undefined
}

/** A copy where there can be one: who unmounts is not kept from it. */
export function mountedAt(mounted: MountPlace, table: string): MountCopy | FoundFile | undefined {
  try {
    return copyMount(mounted, table)
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
  }
  const found = lookUp(mounted.place, undefined, table)
  if (found !== undefined && fileSystemOf(found, table).device === mounted.device) return found
  found?.[Symbol.dispose]()
  return undefined
}
