/**
 * Loads as data. On x86-64 the kernel guards each load through a pointer that the verifier does not trust with ten
 * instructions: the forty of a process are two kilobytes of code, which a program that runs once in the life of a
 * process finds in no near cache, and forty jumps that nothing predicts. So these loads are rows of a table, and one
 * loop for each size goes through them. The table is a frozen map, whose values are constants to the verifier.
 */

import { type Assembler, R0, R1, R2, R3, R7, R8, R9, type Register } from '../asm/index.js'
import { destination, emitNumber, loadSize } from './load-number.js'
import type { Leaf, LoadFrame, TreeNode } from './load-tree.js'
import { emitWindow, type Window } from './window.js'

export const LOADS_MAP = 'loads'

/** `*(to) = *(*(base) + offset)`; `base` and `to` count from the scratch. Each is a u16 of the row. */
interface LoadRow {
  readonly base: number
  readonly offset: number
  readonly to: number
}

const ROW_BYTES = 8
const MOST = 0xffff
/** Fewer loads than this are less code than the loop. */
const FEWEST_ROWS = 8

/** What the tables of one program share. */
export interface LoadTable {
  readonly window: Window
  readonly castId: number
  /** Rows of all tables so far. */
  readonly rows: LoadRow[]
  /** Offset of a temporary that nothing else uses. */
  temporary(): number
}

/** The bytes of `LOADS_MAP`; `undefined` for a program that has no table. */
export function loadTableBytes({ rows }: LoadTable): Uint8Array | undefined {
  if (rows.length === 0) return undefined
  const bytes = new DataView(new ArrayBuffer(rows.length * ROW_BYTES))
  for (const [index, { base, offset, to }] of rows.entries()) {
    bytes.setUint16(index * ROW_BYTES, base, true)
    bytes.setUint16(index * ROW_BYTES + 2, offset, true)
    bytes.setUint16(index * ROW_BYTES + 4, to, true)
  }
  return new Uint8Array(bytes.buffer)
}

/**
 * Everything behind the pointers of `root`, whose address is in `register`.
 *
 * @returns false, with nothing written, where single loads are the better way
 */
export function emitLoadTable(
  frame: LoadFrame,
  table: LoadTable,
  root: TreeNode,
  register: Register,
): boolean {
  if (countLoads(root) < FEWEST_ROWS || !fitsTable(root)) return false
  const { asm } = frame
  const rootSlot = table.temporary()
  asm.store(8, R9, rootSlot, register)
  const plan = new Plan(frame, table)
  plan.add(root, rootSlot)
  plan.join()
  asm.loadMapValue(R8, LOADS_MAP, table.rows.length * ROW_BYTES)
  for (const [sizeBytes, rows] of plan.rows) {
    if (rows.length === 0) continue
    table.rows.push(...rows)
    emitLoop(asm, table, sizeBytes, rows.length)
  }
  for (const emit of plan.rest) emit()
  return true
}

/** Loads behind the pointers of a node. */
function countLoads(node: TreeNode): number {
  let count = 0
  for (const child of node.pointers.values()) count += 1 + child.leaves.length + countLoads(child)
  return count
}

function fitsTable(node: TreeNode): boolean {
  return [...node.pointers].every(
    ([offset, child]) =>
      offset <= MOST &&
      child.leaves.every(({ path, to: [{ sizeBytes }] }) => path.offset + sizeBytes <= MOST) &&
      fitsTable(child),
  )
}

class Plan {
  /** Level by level, so that nothing waits for the pointer that was loaded just before it. */
  readonly rows: ReadonlyMap<8 | 4, LoadRow[]> = new Map([
    [8, []],
    [4, []],
  ])
  /** What is no plain load, or wants its value in several places. */
  readonly rest: (() => void)[] = []
  readonly #frame: LoadFrame
  readonly #table: LoadTable

  constructor(frame: LoadFrame, table: LoadTable) {
    this.#frame = frame
    this.#table = table
  }

  add(root: TreeNode, rootSlot: number): void {
    let level: [node: TreeNode, base: number][] = [[root, rootSlot]]
    while (level.length > 0) {
      const below: typeof level = []
      for (const [node, base] of level) {
        if (node !== root) for (const leaf of node.leaves) this.#addLeaf(leaf, base)
        for (const [offset, child] of node.pointers) {
          const to = this.#table.temporary()
          this.#addRow(8, { base, offset, to })
          below.push([child, to])
        }
      }
      level = below
    }
  }

  /** Two numbers that lie side by side, there and here, are one load. */
  join(): void {
    const halves = this.rows.get(4)?.splice(0) ?? []
    halves.sort((a, b) => a.base - b.base || a.offset - b.offset)
    for (let index = 0; index < halves.length; index += 1) {
      const [low, high] = halves.slice(index, index + 2) as [LoadRow, LoadRow?]
      const isPair = high?.base === low.base && high.offset === low.offset + 4 && high.to === low.to + 4
      this.#addRow(isPair ? 8 : 4, low)
      if (isPair) index += 1
    }
  }

  #addRow(sizeBytes: 8 | 4, row: LoadRow): void {
    this.rows.get(sizeBytes)?.push(row)
  }

  #addLeaf({ path, to }: Leaf, base: number): void {
    const { asm } = this.#frame
    const [first, ...more] = to
    const target = destination(this.#frame, first)
    if (path.address && first.area === 'record') {
      for (let at = 0; at < first.sizeBytes; at += 8) {
        this.#addRow(8, { base, offset: path.offset + at, to: target + at })
      }
    } else if (path.address) {
      this.rest.push(() => asm.load(8, R0, R9, base).aluImm('add', R0, path.offset).store(8, R9, target, R0))
    } else if (path.bits === undefined && path.sizeBytes === first.sizeBytes && isRowSize(path.sizeBytes)) {
      this.#addRow(path.sizeBytes, { base, offset: path.offset, to: target })
      if (more.length > 0) {
        this.rest.push(() => {
          asm.load(loadSize(path), R0, R9, target)
          emitNumber(this.#frame, path, more)
        })
      }
    } else {
      this.rest.push(() => {
        asm.load(8, R1, R9, base).aluImm('add', R1, path.offset)
        emitWindow(asm, this.#table.castId, this.#table.window)
        asm.load(loadSize(path), R0, R0, this.#table.window.offset)
        emitNumber(this.#frame, path, to)
      })
    }
  }
}

function isRowSize(sizeBytes: number): sizeBytes is 8 | 4 {
  return sizeBytes === 8 || sizeBytes === 4
}

/** R8 points to the first row, and behind the last one afterwards. Uses R0 to R5 and R7. */
function emitLoop(asm: Assembler, { castId, window }: LoadTable, sizeBytes: 8 | 4, rows: number): void {
  const row = asm.uniqueLabel('row')
  asm.movImm(R7, rows).label(row)
  asm.load(2, R1, R8, 0).alu('add', R1, R9).load(8, R1, R1, 0)
  asm.load(2, R2, R8, 2).alu('add', R1, R2)
  emitWindow(asm, castId, window)
  asm.load(sizeBytes, R0, R0, window.offset)
  asm.load(2, R3, R8, 4).alu('add', R3, R9).store(sizeBytes, R3, 0, R0)
  asm.aluImm('add', R8, ROW_BYTES).aluImm('sub', R7, 1).jumpIfImm('!=', R7, 0, row)
}
