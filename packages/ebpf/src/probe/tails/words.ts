/** Arrays of numbers. */

import { BPF_FUNC_probe_read_kernel, R0, R2, R3, R7, R9 } from '../../asm/index.js'
import { nodeOf, type Scalar, type Value } from '../expr.js'
import { TEMP_FLAGS } from '../scratch.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { emitTailEnd, emitTailStart, type TailFrame, type TailPlace, unreadable } from './frame.js'
import { cut, type TailCodec, type TailSource, type TailType, tailType, type TailWriter } from './tail.js'

const CODECS: Readonly<Record<4 | 8, TailCodec>> = {
  4: {
    decode: (_descriptor, bytes) =>
      Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readUInt32LE(i * 4)),
    encode(value, maxBytes) {
      const numbers = value as readonly number[]
      const bytes = Buffer.alloc(numbers.length * 4)
      for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, i * 4)
      return cut(bytes, maxBytes)
    },
  },
  8: {
    decode: (_descriptor, bytes) =>
      Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => Number(bytes.readBigUInt64LE(i * 8))),
    encode(value, maxBytes) {
      const numbers = value as readonly number[]
      const bytes = Buffer.alloc(numbers.length * 8)
      for (const [i, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(number), i * 8)
      return cut(bytes, maxBytes)
    },
  },
}

/** Numbers of `elementBytes` bytes, such as supplementary groups: at most `maxBytes` of them. */
export function wordsTail(
  elementBytes: 4 | 8,
  maxBytes: number,
): TailType<number[] | undefined, readonly number[] | undefined, TailSource<'words'>> {
  return tailType({ kind: 'words', maxBytes, elementBytes, codec: CODECS[elementBytes] })
}

/** `count` numbers from kernel memory at `address`, cut at `maxBytes`. */
export function words(address: Value, count: Scalar, maxBytes?: number): TailSource<'words'> {
  return { kind: 'words', fills: 'words', maxBytes, inputs: [nodeOf(address), nodeOf(count)], writer }
}

const writer: TailWriter = {
  // They are not read through a window: the verifier would have to follow each of them.
  refusal: (frame) => unreadable(frame, false),
  emit: emitWords,
}

/** The temporaries are the address and the number of elements. */
function emitWords(frame: TailFrame, place: TailPlace, [address = 0, count = 0]: readonly number[]): void {
  const { asm } = frame
  const { maxBytes, elementBytes } = place
  const fits = asm.uniqueLabel('fits')
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  const most = Math.floor(maxBytes / elementBytes)
  asm.storeImm(8, R9, TEMP_FLAGS, 0)
  asm.load(8, R7, R9, count).jumpIfImm('<=', R7, most, fits)
  asm.movImm(R7, most).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED)
  asm.label(fits).aluImm('mul', R7, elementBytes)
  emitTailStart(frame, place, failed)
  asm.mov(R2, R7).load(8, R3, R9, address).call(BPF_FUNC_probe_read_kernel)
  asm.jumpIfImm('==', R0, 0, done)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(done)
  emitTailEnd(frame, place)
}
