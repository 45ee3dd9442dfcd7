/** Structures in the user memory of the current task. */

import { type Operand, type Scalar, userNumber } from './expr.js'
import type { FixedType } from './fields.js'
import type { NumberSize } from './nodes.js'

/** The numbers of a structure in user memory. */
export type UserStruct<F extends Readonly<Record<string, FixedType>>> = { readonly [K in keyof F]: Scalar }

/**
 * The numbers of a structure in the user memory of the current task, laid out by C's rules: the arguments of a system
 * call, an iovec. They are 0 where nothing can be read, each is read by itself, and other threads may change them at any
 * time.
 *
 * @throws {TypeError} for a field that is no number
 */
export function userStruct<const F extends Readonly<Record<string, FixedType>>>(
  address: Operand,
  fields: F,
): UserStruct<F> {
  const members: Record<string, Scalar> = {}
  let offset = 0
  for (const [name, { kind, sizeBytes, align }] of Object.entries(fields)) {
    if (kind === 'chars')
      throw new TypeError(`Cannot read ${name} of a structure in user memory: it is no number`)
    offset = Math.ceil(offset / align) * align
    members[name] = userNumber(address, offset, sizeBytes as NumberSize, kind === 's32' || kind === 's64')
    offset += sizeBytes
  }
  return members as UserStruct<F>
}
