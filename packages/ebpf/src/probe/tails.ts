/** The variable parts of a record: each block appends to the record and stores its own descriptor. */

import {
  type Assembler,
  BPF_FUNC_loop,
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_probe_read_user,
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
} from '../asm/index.js'
import { PATH_TAIL_BYTES } from './fields.js'
import { TAIL_DELETED, TAIL_FAILED, TAIL_PSEUDO, TAIL_TRUNCATED, type TailField } from './layout.js'
import type { Flavor } from './load-tree.js'
import { emitWindow, type Window } from './window.js'
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
} from './scratch.js'

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

export interface TailFrame {
  readonly asm: Assembler
  readonly flavor: Flavor
  /** `helper` calls bpf_loop (Linux 5.17); `bounded` is a loop that the verifier walks through. */
  readonly loop: 'helper' | 'bounded'
  /** Type id of bpf_rdonly_cast, which the direct flavour needs (Linux 6.2). */
  readonly castId: number
  /** Where the direct flavour reads bytes at an address; absent on kernels that cannot cast. */
  readonly window: Window | undefined
  readonly fixedSizeBytes: number
  /** Most bytes of tails that can lie before any path: a bound that the verifier asks for. */
  readonly maxCursorBeforePath: number
}

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
/** Counts the steps of a loop that the verifier walks through. */
export const COUNTER_SLOT = -96

/** R1 = where the tail begins, or a jump to `skip` if the cursor is beyond `before`, which never happens. */
function emitTailStart({ asm, fixedSizeBytes }: TailFrame, before: number, skip: string): void {
  asm.load(8, R2, R9, TEMP_CURSOR).jumpIfImm('>', R2, before, skip)
  asm
    .mov(R1, R9)
    .alu('add', R1, R2)
    .aluImm('add', R1, RECORD_OFFSET + fixedSizeBytes)
}

/** Adds the length in R7 to the cursor, and stores length and flags (TEMP_FLAGS) as the descriptor. */
export function emitTailEnd({ asm }: TailFrame, tail: TailField): void {
  asm.load(8, R1, R9, TEMP_CURSOR).alu('add', R1, R7).store(8, R9, TEMP_CURSOR, R1)
  asm
    .load(8, R1, R9, TEMP_FLAGS)
    .alu('or', R1, R7)
    .store(4, R9, RECORD_OFFSET + tail.offset, R1)
}

/** Bytes of user memory between two addresses (temporaries `start` and `end`). */
export function emitUserBytes(
  frame: TailFrame,
  tail: TailField,
  before: number,
  start: number,
  end: number,
): void {
  const { asm } = frame
  const skip = asm.uniqueLabel('user')
  const cut = asm.uniqueLabel('cut')
  const fits = asm.uniqueLabel('fits')
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  asm.storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.load(8, R3, R9, start).load(8, R2, R9, end)
  asm.jumpIfImm('==', R3, 0, skip).jumpIf('>', R3, R2, skip)
  asm.storeImm(8, R9, TEMP_FLAGS, 0)
  asm.mov(R7, R2).alu('sub', R7, R3)
  asm.jumpIfImm('>', R7, tail.maxBytes, cut)
  asm.aside(cut, () => asm.movImm(R7, tail.maxBytes).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED).jump(fits))
  asm.label(fits)
  emitTailStart(frame, before, failed)
  asm.mov(R2, R7).call(BPF_FUNC_probe_read_user)
  asm.jumpIfImm('!=', R0, 0, failed)
  asm.aside(failed, () => asm.storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).label(skip).movImm(R7, 0).jump(done))
  asm.label(done)
  emitTailEnd(frame, tail)
}

/**
 * A NUL-terminated string at the address in a temporary; its terminator is part of the tail.
 *
 * @param helper probe_read_kernel_str or probe_read_user_str
 */
export function emitString(
  frame: TailFrame,
  tail: TailField,
  before: number,
  address: number,
  helper: number,
): void {
  const { asm } = frame
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  asm.storeImm(8, R9, TEMP_FLAGS, 0)
  emitTailStart(frame, before, failed)
  asm.movImm(R2, tail.maxBytes).load(8, R3, R9, address).call(helper)
  asm.jumpIfImm('s<=', R0, 0, failed)
  asm.mov(R7, R0)
  // The helper cuts silently: a string that fills its room may go on.
  asm.jumpIfImm('!=', R7, tail.maxBytes, done)
  asm.storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED).jump(done)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(done)
  emitTailEnd(frame, tail)
}

/** An array of numbers: its address and element count are in temporaries. */
export function emitWords(
  frame: TailFrame,
  tail: TailField,
  before: number,
  address: number,
  count: number,
  elementBytes: number,
): void {
  const { asm } = frame
  const fits = asm.uniqueLabel('fits')
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  const most = Math.floor(tail.maxBytes / elementBytes)
  asm.storeImm(8, R9, TEMP_FLAGS, 0)
  asm.load(8, R7, R9, count).jumpIfImm('<=', R7, most, fits)
  asm.movImm(R7, most).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  asm.label(fits).aluImm('mul', R7, elementBytes)
  emitTailStart(frame, before, failed)
  asm.mov(R2, R7).load(8, R3, R9, address).call(BPF_FUNC_probe_read_kernel)
  asm.jumpIfImm('==', R0, 0, done)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(done)
  emitTailEnd(frame, tail)
}

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
export function emitPath(frame: TailFrame, tail: TailField, inputs: PathInputs, offsets: PathOffsets): void {
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
  emitTailEnd(frame, tail)
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

/** At the root of its mount, the walk goes on at the place where that mount is mounted. */
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
function emitPathRoom({ asm, fixedSizeBytes, maxCursorBeforePath }: TailFrame, full: string): void {
  asm.load(8, R1, R9, TEMP_CURSOR).jumpIfImm('>', R1, maxCursorBeforePath, full)
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
    // Two kilobytes, which should not lie between what mostly runs.
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
 * Copies a name that lies in the dentry (R6, address R7) to R1 by words and jumps to `appended`: calls are what a walk
 * pays for. Names end with a NUL there, and the room behind the longest path takes the rest of the last word. Jumps to
 * `elsewhere` when the name, whose address is in R3, does not lie there, and goes straight on if it is longer than that.
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
 * Copies the name at the address in R3 to R1 by words and jumps to `appended`; no name goes on behind the last word.
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
 * Continues at `appended` if a name of R8 bytes has ended, and goes straight on if not. The verifier first follows what
 * lies straight on: a walk of short names, which leaves few branches for later.
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

/** Bytes behind the longest path that a step may touch before it notices that the path is full. */
export const PATH_SLACK_BYTES = PATH_TAIL_BYTES - PATH_MAX
