/** Bytes of the packet that a program runs on. */

import { BPF_FUNC_skb_load_bytes, R0, R1, R2, R3, R4, R6, R7, R9, R10 } from '../../asm/index.js'
import { BuildError } from '../../errors.js'
import { type Operand, operandNode } from '../expr.js'
import { TEMP_FLAGS } from '../scratch.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { emitTailEnd, emitTailStart, type TailFrame, type TailPlace } from './frame.js'
import type { TailSource, TailWriter } from './tail.js'

/** `__sk_buff.len`. */
const SKB_LEN = 0
/** No packet is longer. */
const MAX_OFFSET = 0xffff

/**
 * The packet that the program runs on, from `offset` to its end, cut at `maxBytes`; empty where it ends before. `offset`
 * counts as that of `packet(…)`.
 */
export function packetBytes(offset: Operand, maxBytes?: number): TailSource<'bytes'> {
  return { kind: 'packetBytes', fills: 'bytes', maxBytes, inputs: [operandNode(offset)], writer }
}

const writer: TailWriter = {
  needsContext: true,
  refusal(frame) {
    if (frame.site === 'packet') return undefined
    throw new BuildError('Cannot take bytes of a packet in a program that runs on none')
  },
  emit: emitPacketBytes,
}

function emitPacketBytes(frame: TailFrame, place: TailPlace, [offset = 0]: readonly number[]): void {
  const { asm } = frame
  const { maxBytes } = place
  const [fits, failed, done] = ['fits', 'failed', 'done'].map((name) => asm.uniqueLabel(name)) as [
    string,
    string,
    string,
  ]
  asm.storeImm(8, R9, TEMP_FLAGS, 0).movImm(R7, 0)
  asm.load(8, R6, R10, frame.contextSlot)
  asm.load(4, R4, R6, SKB_LEN).load(8, R2, R9, offset)
  asm.jumpIfImm('>', R2, MAX_OFFSET, done).jumpIf('>=', R2, R4, done)
  asm.alu('sub', R4, R2).jumpIfImm('<=', R4, maxBytes, fits)
  asm.movImm(R4, maxBytes).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  // Old verifiers derive no bound from a comparison with 0.
  asm.label(fits).mov(R7, R4).jumpIfImm('<', R7, 1, failed)
  emitTailStart(frame, place, failed)
  asm.mov(R3, R1).mov(R1, R6).load(8, R2, R9, offset).mov(R4, R7).call(BPF_FUNC_skb_load_bytes)
  asm.jumpIfImm('==', R0, 0, done)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(done)
  emitTailEnd(frame, place)
}
