/** Walks along structures that lead to the next one of their kind, such as a dentry to its parent. */

import { firstNonZero, ifThen, ne } from './arithmetic.js'
import { cast, fromNode, nodeOf, type Scalar, type Value } from './expr.js'
import { checkedInteger } from './operators.js'

/** Most steps of a walk: the code of each is part of the program. */
const MAX_STEPS = 64

export interface WalkOptions<T> {
  /** The structure of all of them, such as `dentry`. */
  readonly struct: string
  /** Where the walk begins: a pointer to the first one. */
  readonly from: Value
  /** The pointer to the next one. The walk ends if that is 0, or equal to the current one. */
  readonly next: (one: T) => Value
  /** What is looked for: the walk ends with the first value that is not 0. */
  readonly until: (one: T) => Scalar
  /** How many are looked at, the first one included: 1 to 64. */
  readonly steps: number
}

/**
 * The first value of `until` that is not 0 on the way from `from` on; 0 when there is none within `steps`. Nothing is
 * read beyond that: `walkUp({ struct: 'dentry', from: file.f_path.dentry, next: (d) => d.d_parent, until: (d) =>
 * has(watched, { inode: d.d_inode.i_ino }), steps: 16 })`.
 *
 * @throws {RangeError} for another number of steps
 */
export function walkUp<T>(options: WalkOptions<T>): Scalar {
  const { struct, from, next, until, steps } = options
  checkedInteger(steps, 'the steps of a walk', 1n, BigInt(MAX_STEPS))
  const all: { readonly one: T; readonly address: Scalar; readonly further: Scalar }[] = []
  for (let address = from as Scalar; all.length < steps;) {
    // Each is read from its own address: a path through all of them would be too long.
    const one = cast<T>(struct, address)
    const further = next(one) as Scalar
    all.push({ one, address, further })
    address = further
  }
  const found = all.reduceRight<Scalar | undefined>((rest, { one, address, further }) => {
    const here = until(one)
    if (rest === undefined) return here
    return firstNonZero(here, ifThen(ne(further, address), ifThen(further, rest)))
  }, undefined) as Scalar
  const text = { struct, from: nodeOf(from), steps, until: nodeOf(until(cast<T>(struct, from))) }
  return fromNode({ kind: 'walk', found: nodeOf(found), text })
}
