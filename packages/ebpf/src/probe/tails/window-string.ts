/** Strings in kernel memory without bpf_probe_read_kernel_str. */

import { R0, R1, R2, R3, R7, R8, R9, R10 } from '../../asm/index.js'
import { RECORD_OFFSET, TEMP_CURSOR, TEMP_FLAGS, TEMP_NEXT, TEMP_PATH_LENGTH } from '../scratch.js'
import { emitWindow, type Window } from '../window.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { COUNTER_SLOT, emitTailEnd, type TailFrame, type TailPlace } from './frame.js'

/**
 * A NUL-terminated string at the address in a temporary, word by word. As with the helper, the terminator is part of
 * the tail.
 */
export function emitWindowString(frame: TailFrame, place: TailPlace, address: number, window: Window): void {
  const { asm, castId, fixedSizeBytes } = frame
  const { before, maxBytes } = place
  const [step, failed, stop, end] = ['step', 'failed', 'stop', 'end'].map((name) =>
    asm.uniqueLabel(name),
  ) as [string, string, string, string]
  const words = Math.floor(maxBytes / 8)
  asm.load(8, R1, R9, address).jumpIfImm('==', R1, 0, failed).store(8, R9, TEMP_NEXT, R1)
  asm.storeImm(8, R9, TEMP_FLAGS, 0).storeImm(8, R9, TEMP_PATH_LENGTH, 0).storeImm(8, R10, COUNTER_SLOT, 0)

  asm.label(step)
  asm.load(8, R1, R9, TEMP_NEXT)
  emitWindow(asm, castId, window)
  asm.load(8, R8, R0, window.offset)
  asm.load(8, R1, R9, TEMP_CURSOR).jumpIfImm('>', R1, before, failed)
  asm.load(8, R2, R9, TEMP_PATH_LENGTH).jumpIfImm('>', R2, words * 8 - 8, failed)
  asm.alu('add', R1, R2).alu('add', R1, R9)
  asm.aluImm('add', R1, RECORD_OFFSET + fixedSizeBytes).store(8, R1, 0, R8)
  for (let byte = 0; byte < 8; byte += 1) {
    asm.aluImm('add', R2, 1).mov(R3, R8).aluImm('and', R3, 0xff).jumpIfImm('==', R3, 0, stop)
    asm.aluImm('rsh', R8, 8)
  }
  asm.store(8, R9, TEMP_PATH_LENGTH, R2)
  asm.load(8, R2, R9, TEMP_NEXT).aluImm('add', R2, 8).store(8, R9, TEMP_NEXT, R2)
  asm.load(8, R2, R10, COUNTER_SLOT).aluImm('add', R2, 1).store(8, R10, COUNTER_SLOT, R2)
  asm.jumpIfImm('<', R2, words, step)

  // R1 still points to the last word: its last byte becomes the terminator.
  asm.storeImm(1, R1, 7, 0).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  asm.movImm(R7, words * 8).jump(end)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0).jump(end)
  asm.label(stop).mov(R7, R2)
  asm.label(end)
  emitTailEnd(frame, place)
}
