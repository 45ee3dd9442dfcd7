/** How programs learn whether a file lies below directories that were asked for. */

import { and, eq, oneOf, or, type Scalar, walkUp } from 'quark-ebpf/probe'

/** Directories above a file that are compared. */
const MAX_STEPS = 32

interface Dentry {
  readonly d_parent: Scalar
  readonly d_inode: { readonly i_ino: Scalar }
}

/** A file or directory by what the kernel has of it. */
interface Place {
  /** The major above twenty bits of the minor. */
  readonly device: number
  readonly inode: bigint
}

/**
 * 1 if a file is one of the places or lies below one, up to 32 levels up. All on the way are of the file's own file system.
 *
 * @param device that of the file: `i_sb.s_dev`
 */
export function isBelow(device: Scalar, dentry: Scalar, places: readonly Place[]): Scalar {
  const devices = [...new Set(places.map((place) => place.device))]
  const found = devices.map((of) => {
    const inodes = places.filter((place) => place.device === of).map(({ inode }) => inode)
    return and(
      eq(device, of),
      walkUp<Dentry>({
        struct: 'dentry',
        from: dentry,
        next: ({ d_parent }) => d_parent,
        until: ({ d_inode }) => oneOf(d_inode.i_ino, inodes),
        steps: MAX_STEPS,
      }),
    )
  })
  return found.reduce((all, one) => or(all, one))
}
