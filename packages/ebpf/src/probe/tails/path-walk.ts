/** The walk from a file up to the root of its mount namespace: the code of a path tail. */

import {
  type Assembler,
  BPF_FUNC_loop,
  BPF_FUNC_probe_read_kernel,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R7,
  R8,
  R9,
  R10,
} from '../../asm/index.js'
import {
  RECORD_OFFSET,
  TEMP_CURSOR,
  TEMP_DENTRY,
  TEMP_FLAGS,
  TEMP_MOUNT,
  TEMP_NEXT,
  TEMP_PATH_LENGTH,
  TEMP_ROOT_DENTRY,
  TEMP_ROOT_MOUNT,
} from '../scratch.js'
import { emitWindow, type Window } from '../window.js'
import { TAIL_DELETED, TAIL_FAILED, TAIL_PSEUDO, TAIL_TRUNCATED } from './descriptor.js'
import { COUNTER_SLOT, emitTailEnd, type TailFrame, type TailPlace } from './frame.js'
import type { PathOffsets } from './path-offsets.js'

/** Kind of the source that a walk is. */
export const PATH_SOURCE = 'path'
/** What one path may take: PATH_MAX, the longest component, and two terminators. */
export const PATH_TAIL_BYTES = 4096 + 256 + 2
/** Longest path that is kept; PATH_MAX, as everywhere else. */
const PATH_MAX = 4096
/** Longest component (NAME_MAX), which also bounds names that the kernel makes up. */
const NAME_MAX = 255
/** Steps of a walk by bpf_loop: each appends at least two bytes, or crosses one mount. */
const HELPER_STEPS = 2304
/** Steps of a walk that the verifier has to follow one by one. */
const BOUNDED_STEPS = 128

/** A value on its way through probe_read_kernel; below the slots that `loads.ts` uses. */
const VALUE_SLOT = -80
/** Holds R9 for the callback of bpf_loop. */
const CONTEXT_SLOT = -88

/** Temporaries that hold the inputs of a path. */
export interface PathInputs {
  readonly dentry: number
  readonly mount: number
  readonly rootDentry: number
  readonly rootMount: number
}

/** The label of the walk's callback, which `emitPathCallback` puts behind the program. */
const CALLBACK = 'path_step'

/** The components of a path, leaf first. */
export function emitPath(frame: TailFrame, place: TailPlace, inputs: PathInputs, offsets: PathOffsets): void {
  const { asm, loop } = frame
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  const end = asm.uniqueLabel('end')
  asm.load(8, R1, R9, inputs.dentry).jumpIfImm('==', R1, 0, failed)
  asm.store(8, R9, TEMP_DENTRY, R1)
  asm.load(8, R1, R9, inputs.mount).store(8, R9, TEMP_MOUNT, R1)
  asm.load(8, R1, R9, inputs.rootDentry).store(8, R9, TEMP_ROOT_DENTRY, R1)
  asm.load(8, R1, R9, inputs.rootMount).store(8, R9, TEMP_ROOT_MOUNT, R1)
  // Cleared by the step that reaches the top.
  asm.storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED).storeImm(8, R9, TEMP_PATH_LENGTH, 0)
  if (loop === 'helper') {
    asm.store(8, R10, CONTEXT_SLOT, R9)
    asm.movImm(R1, HELPER_STEPS).loadFunction(R2, CALLBACK)
    asm.mov(R3, R10).aluImm('add', R3, CONTEXT_SLOT).movImm(R4, 0).call(BPF_FUNC_loop)
  } else {
    const step = asm.uniqueLabel('step')
    const next = asm.uniqueLabel('next')
    asm.storeImm(8, R10, COUNTER_SLOT, 0)
    asm.label(step)
    emitPathStep(frame, offsets, next, done)
    asm.label(next)
    asm.load(8, R1, R10, COUNTER_SLOT).aluImm('add', R1, 1).store(8, R10, COUNTER_SLOT, R1)
    asm.jumpIfImm('<', R1, BOUNDED_STEPS, step)
  }
  asm.label(done)
  emitDeletedFlag(frame, inputs, offsets)
  asm.load(8, R7, R9, TEMP_PATH_LENGTH).jump(end)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(end)
  emitTailEnd(frame, place)
}

/** The body that bpf_loop calls: R2 points to the caller's R9. Returns 1 to stop. */
export function emitPathCallback(frame: TailFrame, offsets: PathOffsets): void {
  const { asm } = frame
  const next = asm.uniqueLabel('next')
  const done = asm.uniqueLabel('done')
  asm.label(CALLBACK).load(8, R9, R2, 0)
  emitPathStep(frame, offsets, next, done)
  asm.label(next).movImm(R0, 0).exit()
  asm.label(done).movImm(R0, 1).exit().emitAsides()
}

/** R0 = the address in `R1` as a readable structure (direct), or as it is (probeRead). */
function emitCast({ asm, flavor, castId }: TailFrame, typeId: number): void {
  if (flavor === 'direct') asm.movImm(R2, typeId).callKfunc('bpf_rdonly_cast', castId)
  else asm.mov(R0, R1)
}

/** `*(u64 *)(R9 + to) = *(size *)(R6 + offset)`, where R6 came from `emitCast`. */
function emitMember(
  { asm, flavor }: TailFrame,
  size: 4 | 8,
  offset: number,
  store: (register: typeof R1) => void,
): void {
  if (flavor === 'direct') {
    asm.load(size, R1, R6, offset)
  } else {
    asm.mov(R1, R10).aluImm('add', R1, VALUE_SLOT).movImm(R2, size)
    asm.mov(R3, R6).aluImm('add', R3, offset).call(BPF_FUNC_probe_read_kernel)
    asm.load(size, R1, R10, VALUE_SLOT)
  }
  store(R1)
}

/** One step: across a mount, or one component upwards. Uses R0 to R8; state is in the temporaries. */
function emitPathStep(frame: TailFrame, offsets: PathOffsets, next: string, done: string): void {
  const { asm } = frame
  const root = asm.uniqueLabel('root')
  const below = asm.uniqueLabel('below')
  const crossing = asm.uniqueLabel('crossing')

  asm.load(8, R7, R9, TEMP_DENTRY).load(8, R6, R9, TEMP_MOUNT)
  asm.load(8, R1, R9, TEMP_ROOT_DENTRY).jumpIf('==', R7, R1, root)
  // The place of the process's root is marked by an empty component.
  asm.aside(root, () => {
    asm.load(8, R1, R9, TEMP_ROOT_MOUNT).jumpIf('!=', R6, R1, below)
    emitPathRoom(frame, done)
    asm.storeImm(1, R1, 0, 0).aluImm('add', R2, 1).store(8, R9, TEMP_PATH_LENGTH, R2).jump(below)
  })
  asm.label(below).mov(R1, R6)
  emitCast(frame, offsets.vfsmountType)
  asm.mov(R6, R0)
  emitMember(frame, 8, offsets.vfsmountRoot, (mountRoot) => asm.jumpIf('==', R7, mountRoot, crossing))
  asm.aside(crossing, () => emitCrossing(frame, offsets, next, done))
  emitPathComponent(frame, offsets, next, done)
}

/** At the root of its mount, the walk continues at the mount point. */
function emitCrossing(frame: TailFrame, offsets: PathOffsets, next: string, done: string): void {
  const { asm } = frame
  const top = asm.uniqueLabel('top')
  const loadMount = (): void => {
    asm.mov(R1, R7)
    emitCast(frame, offsets.mountType)
    asm.mov(R6, R0)
  }
  asm.load(8, R7, R9, TEMP_MOUNT).aluImm('sub', R7, offsets.mountVfsmount)
  loadMount()
  emitMember(frame, 8, offsets.mountPoint, (point) => asm.mov(R8, point))
  emitMember(frame, 8, offsets.mountParent, (parent) => asm.jumpIf('==', parent, R7, top).mov(R7, parent))
  asm.store(8, R9, TEMP_DENTRY, R8)
  asm.mov(R1, R7).aluImm('add', R1, offsets.mountVfsmount).store(8, R9, TEMP_MOUNT, R1)
  // Mostly that is the root of the topmost mount, which takes no further step.
  asm.load(8, R2, R9, TEMP_ROOT_MOUNT).jumpIf('==', R1, R2, next)
  loadMount()
  emitMember(frame, 8, offsets.mountVfsmount + offsets.vfsmountRoot, (root) =>
    asm.jumpIf('!=', R8, root, next),
  )
  emitMember(frame, 8, offsets.mountParent, (parent) => asm.jumpIf('!=', R7, parent, next))
  asm.label(top).storeImm(8, R9, TEMP_FLAGS, 0).jump(done)
}

/** R1 = where the next byte of the path goes and R2 = the path's length so far, or a jump to `full`. */
function emitPathRoom({ asm, fixedSizeBytes, maxBefore }: TailFrame, full: string): void {
  asm.load(8, R1, R9, TEMP_CURSOR).jumpIfImm('>', R1, maxBefore.get(PATH_SOURCE) ?? 0, full)
  asm.load(8, R2, R9, TEMP_PATH_LENGTH).jumpIfImm('>', R2, PATH_MAX, full)
  asm
    .alu('add', R1, R2)
    .alu('add', R1, R9)
    .aluImm('add', R1, RECORD_OFFSET + fixedSizeBytes)
}

/** Appends the name of the dentry in R7 and goes to its parent. */
function emitPathComponent(frame: TailFrame, offsets: PathOffsets, next: string, done: string): void {
  const { asm, flavor, window } = frame
  const long = asm.uniqueLabel('long')
  const bounded = asm.uniqueLabel('bounded')
  const pseudo = asm.uniqueLabel('pseudo')
  const appended = asm.uniqueLabel('appended')
  asm.mov(R1, R7)
  emitCast(frame, offsets.dentryType)
  asm.mov(R6, R0)
  emitMember(frame, 8, offsets.dentryParent, (parent) => asm.store(8, R9, TEMP_NEXT, parent))
  emitMember(frame, 8, offsets.dentryName, (name) => asm.store(8, R9, TEMP_DENTRY, name))
  emitMember(frame, 4, offsets.dentryNameLength, (length) => asm.mov(R8, length))
  asm.jumpIfImm('>', R8, NAME_MAX, long).label(bounded)
  asm.aside(long, () => asm.movImm(R8, NAME_MAX).jump(bounded))

  emitPathRoom(frame, done)
  // The length is bounded twice: R2 by emitPathRoom, what is added to it by NAME_MAX.
  asm.alu('add', R2, R8).aluImm('add', R2, 1).store(8, R9, TEMP_PATH_LENGTH, R2)
  asm.load(8, R3, R9, TEMP_DENTRY)
  if (flavor === 'direct' && window !== undefined) {
    const elsewhere = asm.uniqueLabel('elsewhere')
    emitInlineName(asm, offsets, { appended, elsewhere })
    asm.jump(elsewhere)
    // Two kilobytes of code, which should not lie in the path of the common case.
    asm.aside(elsewhere, () => {
      emitLongName(frame, window, appended)
      asm.jump(done)
    })
  } else {
    const elsewhere = asm.uniqueLabel('elsewhere')
    if (flavor === 'direct') emitInlineName(asm, offsets, { appended, elsewhere })
    asm.label(elsewhere).mov(R2, R8).alu('add', R8, R1)
    asm.call(BPF_FUNC_probe_read_kernel)
    asm.storeImm(1, R8, 0, 0)
  }
  asm.label(appended)
  asm.load(8, R1, R9, TEMP_NEXT).jumpIf('==', R1, R7, pseudo)
  asm.store(8, R9, TEMP_DENTRY, R1).jump(next)
  // Its own parent, and not the root of a mount: a file without a place.
  asm.aside(pseudo, () => asm.storeImm(8, R9, TEMP_FLAGS, TAIL_PSEUDO).jump(done))
}

/**
 * Copies a name that lies in the dentry (R6, address R7) to R1 by words and jumps to `appended`: calls are the main
 * cost of a walk. Names end with a NUL there, and the room behind the longest path takes the rest of the last word.
 * Jumps to `elsewhere` when the name, whose address is in R3, does not lie there, and falls through if it is longer.
 */
function emitInlineName(
  asm: Assembler,
  offsets: PathOffsets,
  { appended, elsewhere }: { readonly appended: string; readonly elsewhere: string },
): void {
  asm.mov(R4, R7).aluImm('add', R4, offsets.dentryInline).jumpIf('!=', R3, R4, elsewhere)
  for (let at = 0; at + 8 <= offsets.dentryInlineBytes; at += 8) {
    asm.load(8, R4, R6, offsets.dentryInline + at).store(8, R1, at, R4)
    emitNameEnd(asm, at + 8, appended)
  }
}

/**
 * Copies the name at the address in R3 to R1 by words and jumps to `appended`; no name is longer than all words.
 */
function emitLongName({ asm, castId }: TailFrame, window: Window, appended: string): void {
  asm.mov(R6, R1).mov(R1, R3)
  emitWindow(asm, castId, window)
  for (let at = 0; at + 8 <= window.sizeBytes; at += 8) {
    asm.load(8, R4, R0, window.offset + at).store(8, R6, at, R4)
    emitNameEnd(asm, at + 8, appended)
  }
}

/**
 * Jumps to `appended` if a name of R8 bytes has ended; else falls through. The verifier follows a conditional jump that
 * is not taken first: here the end of the name, so a walk of short names, which leaves few branches for later.
 */
function emitNameEnd(asm: Assembler, copiedBytes: number, appended: string): void {
  const more = asm.uniqueLabel('more')
  asm.jumpIfImm('>=', R8, copiedBytes, more).jump(appended).label(more)
}

/** Adds TAIL_DELETED to the flags when the file was unhashed; not for files without a place. */
function emitDeletedFlag(frame: TailFrame, inputs: PathInputs, offsets: PathOffsets): void {
  const { asm } = frame
  const unhashed = asm.uniqueLabel('unhashed')
  const keep = asm.uniqueLabel('keep')
  asm.load(8, R1, R9, inputs.dentry)
  emitCast(frame, offsets.dentryType)
  asm.mov(R6, R0)
  emitMember(frame, 8, offsets.dentryHashed, (hashed) => asm.jumpIfImm('==', hashed, 0, unhashed))
  asm.label(keep)
  asm.aside(unhashed, () => {
    asm.load(8, R7, R9, inputs.dentry)
    emitMember(frame, 8, offsets.dentryParent, (parent) => asm.jumpIf('==', parent, R7, keep))
    asm.load(8, R1, R9, TEMP_FLAGS).aluImm('or', R1, TAIL_DELETED).store(8, R9, TEMP_FLAGS, R1).jump(keep)
  })
}
