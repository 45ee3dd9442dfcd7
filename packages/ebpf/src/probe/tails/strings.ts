/** NUL-terminated text, of the kernel or of the current task. */

import {
  BPF_FUNC_probe_read_kernel_str,
  BPF_FUNC_probe_read_user_str,
  R0,
  R2,
  R3,
  R7,
  R9,
} from '../../asm/index.js'
import { nodeOf, type Scalar } from '../expr.js'
import type { ExprNode } from '../nodes.js'
import { fetchAt } from '../fetch-list.js'
import { Unresolved } from '../resolve.js'
import { TEMP_FLAGS } from '../scratch.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { tooLong } from './fetch.js'
import { emitTailEnd, emitTailStart, type TailFrame, type TailPlace, unreadable } from './frame.js'
import {
  bytesOf,
  type EncodedTail,
  type TailCodec,
  type TailSource,
  type TailType,
  tailType,
  type TailWriter,
  untilNul,
} from './tail.js'
import { emitWindowString } from './window-string.js'

const codec: TailCodec = {
  decode: (_descriptor, bytes) => untilNul(bytes).toString('utf8'),
  encode: (value, maxBytes) => terminated(bytesOf(value as string | Uint8Array), maxBytes),
}

/** A string that fills its tail counts as cut, since the kernel does not say which it was. */
function terminated(text: Buffer, maxBytes: number): EncodedTail {
  const bytes = Buffer.concat([text.subarray(0, Math.max(maxBytes - 1, 0)), Buffer.alloc(1)])
  return { bytes, flags: bytes.length < maxBytes ? 0 : TAIL_TRUNCATED }
}

/** Text up to its first NUL: at most `maxBytes`, the NUL among them. */
export function stringTail(
  maxBytes: number,
): TailType<string | undefined, string | Uint8Array | undefined, TailSource<'string'>> {
  return tailType({ kind: 'string', maxBytes, codec })
}

/** A NUL-terminated string in kernel memory, cut at `maxBytes` with its terminator. */
export function kernelString(address: Scalar, maxBytes?: number): TailSource<'string'> {
  return { kind: 'kernelString', fills: 'string', maxBytes, inputs: [nodeOf(address)], writer: kernelWriter }
}

/** A NUL-terminated string in the user memory of the current task, cut at `maxBytes` with its terminator. */
export function userString(address: Scalar, maxBytes?: number): TailSource<'string'> {
  return { kind: 'userString', fills: 'string', maxBytes, inputs: [nodeOf(address)], writer: userWriter }
}

/** Strings up to this are fetched as words: they are then the same size whatever is in memory. */
const MAX_WORD_STRING_BYTES = 64
/** Most bytes of a longer string that is fetched: `PATH_MAX`. */
const MAX_STRING_BYTES = 4096

const kernelWriter: TailWriter = {
  // A window is searched word by word.
  refusal: (frame, { maxBytes }) => unreadable(frame, maxBytes >= 8),
  emit(frame, place, [address = 0]) {
    const { probeRead, window } = frame
    if (probeRead || window === undefined) emitString(frame, place, address, BPF_FUNC_probe_read_kernel_str)
    else emitWindowString(frame, place, address, window)
  },
  fetch({ args, place }, [address], maxBytes) {
    const text = place(address as ExprNode)
    if (text instanceof Unresolved) return text
    const isShort = maxBytes <= MAX_WORD_STRING_BYTES
    const index = isShort
      ? args.words(fetchAt(0, text), Math.ceil(maxBytes / 8))
      : args.string(fetchAt(0, text), MAX_STRING_BYTES)
    if (index === undefined) return tooLong
    return (values) => ({ value: untilNul(values.bytes(index)), isCut: false })
  },
}

const userWriter: TailWriter = {
  emit: (frame, place, [address = 0]) => emitString(frame, place, address, BPF_FUNC_probe_read_user_str),
}

/**
 * A NUL-terminated string at the address in a temporary; its terminator is part of the tail.
 *
 * @param helper probe_read_kernel_str or probe_read_user_str
 */
function emitString(frame: TailFrame, place: TailPlace, address: number, helper: number): void {
  const { asm } = frame
  const { maxBytes } = place
  const failed = asm.uniqueLabel('failed')
  const done = asm.uniqueLabel('done')
  asm.storeImm(8, R9, TEMP_FLAGS, 0)
  emitTailStart(frame, place, failed)
  asm.movImm(R2, maxBytes).load(8, R3, R9, address).call(helper)
  asm.jumpIfImm('s<=', R0, 0, failed)
  asm.mov(R7, R0)
  // The helper cuts silently: a string that fills its room may be longer.
  asm.jumpIfImm('!=', R7, maxBytes, done)
  asm.storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED).jump(done)
  asm.label(failed).storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).movImm(R7, 0)
  asm.label(done)
  emitTailEnd(frame, place)
}
