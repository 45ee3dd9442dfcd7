/** What a record wants to be loaded: all paths merged into one tree, so that every pointer is loaded once. */

import type { Assembler, Register } from '../asm/index.js'
import { type ResolvedExpr, type ResolvedPath, rootKey } from './resolved.js'

export type Flavor = 'direct' | 'probeRead'

/**
 * Where a loaded value goes. `record` counts from the record's start, `slot` from the scratch's. Of memory
 * that lies in place (an array, a structure), a record gets the bytes and a slot the address.
 */
export interface Destination {
  readonly area: 'record' | 'slot'
  readonly offset: number
  readonly sizeBytes: number
}

/** A value, and where it goes: several fields and temporaries may want the same one. */
export interface Leaf {
  readonly path: ResolvedPath
  readonly to: [Destination, ...Destination[]]
}

export interface TreeNode {
  readonly leaves: Leaf[]
  readonly pointers: Map<number, TreeNode>
}

/** What the emitters need to know about the program that they write into. */
export interface LoadFrame {
  readonly asm: Assembler
  readonly flavor: Flavor
  /** Emits `dst = argument index` from the context in R6. */
  argument(dst: Register, index: number): void
  /** Emits `dst =` the address that a root is, which was computed before. */
  address(dst: Register, address: ResolvedExpr): void
  /** Type id of bpf_rdonly_cast, if the kernel has it (Linux 6.2). */
  readonly castId: number | undefined
  /**
   * Direct loads through NULL fault: the JIT emits no guard. A kernel without a preemption count takes that for a fault
   * of the task and may run other tasks before it continues: in the middle of a program, whose scratch they overwrite.
   */
  readonly faultsOnNull: boolean
  /** Offset of the record within the scratch that R9 points to. */
  readonly recordOffset: number
}

export interface LoadRoot {
  readonly path: ResolvedPath
  readonly node: TreeNode
}

export class LoadTree {
  readonly #roots = new Map<string, LoadRoot>()

  add(path: ResolvedPath, to: Destination): void {
    const key = rootKey(path)
    let root = this.#roots.get(key)
    if (root === undefined) {
      root = { path, node: { leaves: [], pointers: new Map() } }
      this.#roots.set(key, root)
    }
    let node = root.node
    for (const offset of path.derefs) {
      let next = node.pointers.get(offset)
      if (next === undefined) {
        next = { leaves: [], pointers: new Map() }
        node.pointers.set(offset, next)
      }
      node = next
    }
    const same = node.leaves.find((leaf) => isSameNumber(leaf.path, path))
    if (same === undefined) node.leaves.push({ path, to: [to] })
    else same.to.push(to)
  }

  /** A path from each root, and what is loaded from there. */
  roots(): Iterable<LoadRoot> {
    return this.#roots.values()
  }
}

/** Whether both are the same number in memory, so that one load is enough. */
function isSameNumber(a: ResolvedPath, b: ResolvedPath): boolean {
  const isPlain = ({ address, bits }: ResolvedPath): boolean => !address && bits === undefined
  return (
    isPlain(a) &&
    isPlain(b) &&
    a.offset === b.offset &&
    a.sizeBytes === b.sizeBytes &&
    a.signed === b.signed &&
    a.bare === b.bare
  )
}
