/** How a tail is fetched without a program: by the fetch arguments of a kprobe event. */

import type { Btf } from '../../btf/index.js'
import type { ExprNode } from '../nodes.js'
import type { FetchArgs, ReadValue } from '../fetch-list.js'
import { Unresolved } from '../resolved.js'

/** What a tail's arguments are planned with. */
export interface TailFetcher {
  readonly args: FetchArgs
  readonly btf: Btf
  /** Most bytes of user memory per tail. */
  readonly maxUserBytes: number
  /** A number, whatever it is computed of. */
  number(node: ExprNode): ReadValue<bigint> | Unresolved
  /** A number as an argument writes it, to fetch from there: a register, or a place in memory. */
  place(node: ExprNode): string | Unresolved
}

/** A tail that was fetched, as `encodeRecord` takes it. */
export interface FetchedTail {
  readonly value: unknown
  /** The tail is longer than what was fetched. */
  readonly isCut: boolean
}

/** Reads a tail; undefined when there is none. */
export type ReadTail = ReadValue<FetchedTail | undefined>

export const tooLong = new Unresolved('the way to it is longer than a fetch argument can be')
