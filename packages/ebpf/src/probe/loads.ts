/**
 * Loads in both flavours. Direct loads rely on BTF pointers, which read 0 through NULL or a bad address; the other
 * flavour calls probe_read_kernel, which zeroes what it could not read.
 */

import {
  BPF_FUNC_get_current_task,
  BPF_FUNC_get_current_task_btf,
  BPF_FUNC_probe_read_kernel,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R7,
  R8,
  R9,
  R10,
  type Register,
} from '../asm/index.js'
import { BuildError } from '../errors.js'
import { destination, emitNumber, loadSize } from './load-number.js'
import type { Destination, LoadFrame, LoadTree, TreeNode } from './load-tree.js'
import type { ResolvedPath } from './resolved.js'
import { VALUE_SLOT } from './stack.js'

/** Registers that hold the pointers of one branch, by depth; R6 is the context, R9 the scratch. */
const POINTER_REGISTERS: readonly Register[] = [R1, R2, R3, R4, R5, R7, R8]

/** Stack slots that hold the pointers of one branch in the probeRead flavour, by depth. */
const POINTER_SLOTS = [-8, -16, -24, -32, -40, -48, -56, -64] as const

/** Emits the loads of a tree; R9 is what their destinations count from. */
export function emitLoads(frame: LoadFrame, tree: LoadTree): void {
  for (const { path, node } of tree.roots()) {
    // Without a cast the verifier refuses loads from a computed address.
    const isDirect = frame.flavor === 'direct' && (path.root.kind !== 'address' || frame.castId !== undefined)
    if (isDirect) emitDirectRoot(frame, path, node)
    else emitProbeReadRoot(frame, path, node)
  }
}

function pointerRegister(depth: number): Register {
  const register = POINTER_REGISTERS[depth]
  if (register === undefined)
    throw new BuildError(`Cannot follow more than ${POINTER_REGISTERS.length} pointers`)
  return register
}

function pointerSlot(depth: number): number {
  const slot = POINTER_SLOTS[depth]
  if (slot === undefined) throw new BuildError(`Cannot follow more than ${POINTER_SLOTS.length} pointers`)
  return slot
}

function emitDirectRoot(frame: LoadFrame, path: ResolvedPath, node: TreeNode): void {
  const { asm, castId } = frame
  const { root, rootType } = path
  const register = pointerRegister(0)
  if (root.kind === 'address') {
    emitDirectAddress(frame, path, node)
    return
  }
  if (root.kind === 'current') asm.call(BPF_FUNC_get_current_task_btf).mov(register, R0)
  else frame.argument(register, root.index)
  // Numbers are read through the pointer as it was given: if the verifier trusts it, such a load is one instruction,
  // and otherwise ten, among them a jump that the CPU mostly guesses wrong so long after the last run.
  emitDirectLeaves(frame, node, 0)
  if (castId !== undefined && rootType !== 0 && node.pointers.size > 0) {
    // For each pointer that is read through a trusted one the verifier searches all type names; through this one it
    // does not, and loads in a quarter of the time. The cast itself is no code.
    asm.movImm(R2, rootType).callKfunc('bpf_rdonly_cast', castId).mov(register, R0)
  }
  emitDirectPointers(frame, node, 0)
}

function emitDirectAddress(frame: LoadFrame, { root, rootType }: ResolvedPath, node: TreeNode): void {
  const { asm, castId } = frame
  const register = pointerRegister(0)
  if (root.kind !== 'address' || castId === undefined) return
  frame.address(R1, root.address)
  const end = asm.uniqueLabel('end')
  emitNullGuard(frame, R1, node, end)
  asm.movImm(R2, rootType).callKfunc('bpf_rdonly_cast', castId).mov(register, R0)
  emitDirectLeaves(frame, node, 0)
  emitDirectPointers(frame, node, 0)
  asm.label(end)
}

/** If the pointer is NULL, writes zeroes and continues at `end`, on machines where a load through NULL faults. */
function emitNullGuard(frame: LoadFrame, pointer: Register, node: TreeNode, end: string): void {
  const { asm } = frame
  if (!frame.faultsOnNull) return
  const isNull = asm.uniqueLabel('null')
  asm.jumpIfImm('==', pointer, 0, isNull)
  asm.aside(isNull, () => {
    emitZeroes(frame, node)
    asm.jump(end)
  })
}

function emitDirectPointers(frame: LoadFrame, node: TreeNode, depth: number): void {
  const { asm } = frame
  for (const [offset, child] of node.pointers) {
    const pointer = pointerRegister(depth + 1)
    asm.load(8, pointer, pointerRegister(depth), offset)
    const end = asm.uniqueLabel('end')
    emitNullGuard(frame, pointer, child, end)
    emitDirectLeaves(frame, child, depth + 1)
    emitDirectPointers(frame, child, depth + 1)
    asm.label(end)
  }
}

/** The values behind NULL: 0, as guarded loads read it; addresses are the offsets from NULL. */
function emitZeroes(frame: LoadFrame, node: TreeNode): void {
  for (const { path, to } of node.leaves) {
    for (const one of to) {
      const address = path.address && one.area === 'slot' ? path.offset : 0
      for (let at = 0; at < one.sizeBytes; at += 8) {
        const sizeBytes = Math.min(8, one.sizeBytes - at) as 1 | 2 | 4 | 8
        frame.asm.storeImm(sizeBytes, R9, destination(frame, one) + at, address)
      }
    }
  }
  for (const child of node.pointers.values()) emitZeroes(frame, child)
}

function emitDirectLeaves(frame: LoadFrame, node: TreeNode, depth: number): void {
  const { asm } = frame
  const base = pointerRegister(depth)
  for (const { path, to } of node.leaves) {
    const [first] = to
    const target = destination(frame, first)
    if (!path.bare && path.address && first.area === 'record') {
      for (let i = 0; i < first.sizeBytes; i += 8) {
        asm.load(8, R0, base, path.offset + i).store(8, R9, target + i, R0)
      }
    } else if (!path.bare && path.address) {
      asm.mov(R0, base).aluImm('add', R0, path.offset).store(8, R9, target, R0)
    } else {
      if (path.bare) asm.mov(R0, base)
      else asm.load(loadSize(path), R0, base, path.offset)
      emitNumber(frame, path, to)
    }
  }
}

function emitProbeReadRoot(frame: LoadFrame, { root }: ResolvedPath, node: TreeNode): void {
  const { asm } = frame
  if (root.kind === 'current') asm.call(BPF_FUNC_get_current_task)
  else if (root.kind === 'argument') frame.argument(R0, root.index)
  else frame.address(R0, root.address)
  asm.store(8, R10, pointerSlot(0), R0)
  emitProbeReadNode(frame, node, 0)
}

function emitProbeReadNode(frame: LoadFrame, node: TreeNode, depth: number): void {
  const { asm } = frame
  const slot = pointerSlot(depth)
  for (const { path, to } of node.leaves) {
    const [first, ...more] = to
    const target = destination(frame, first)
    if (path.bare) {
      asm.load(8, R0, R10, slot)
      emitNumber(frame, path, to)
    } else if (path.address && first.area === 'slot') {
      asm.load(8, R0, R10, slot).aluImm('add', R0, path.offset).store(8, R9, target, R0)
    } else if (path.address || (isPlainCopy(path, first) && more.length === 0)) {
      asm.mov(R1, R9).aluImm('add', R1, target).movImm(R2, first.sizeBytes)
      asm.load(8, R3, R10, slot).aluImm('add', R3, path.offset).call(BPF_FUNC_probe_read_kernel)
    } else {
      asm.mov(R1, R10).aluImm('add', R1, VALUE_SLOT).movImm(R2, path.sizeBytes)
      asm.load(8, R3, R10, slot).aluImm('add', R3, path.offset).call(BPF_FUNC_probe_read_kernel)
      asm.load(loadSize(path), R0, R10, VALUE_SLOT)
      emitNumber(frame, path, to)
    }
  }
  for (const [offset, child] of node.pointers) {
    asm
      .mov(R1, R10)
      .aluImm('add', R1, pointerSlot(depth + 1))
      .movImm(R2, 8)
    asm.load(8, R3, R10, slot).aluImm('add', R3, offset).call(BPF_FUNC_probe_read_kernel)
    emitProbeReadNode(frame, child, depth + 1)
  }
}

/** Whether the bytes in kernel memory are the bytes of the record. */
function isPlainCopy(path: ResolvedPath, to: Destination): boolean {
  return path.bits === undefined && path.sizeBytes === to.sizeBytes
}
