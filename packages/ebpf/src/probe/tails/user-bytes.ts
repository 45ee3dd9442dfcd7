/** Bytes as they are. */

import { BPF_FUNC_probe_read_kernel, BPF_FUNC_probe_read_user, R0, R2, R3, R7, R9 } from '../../asm/index.js'
import { nodeOf, type Scalar } from '../expr.js'
import type { ExprNode } from '../nodes.js'
import { fetchAt } from '../fetch-list.js'
import { Unresolved } from '../resolve.js'
import { TEMP_FLAGS } from '../scratch.js'
import { TAIL_FAILED, TAIL_TRUNCATED } from './descriptor.js'
import { type ReadTail, type TailFetcher, tooLong } from './fetch.js'
import { emitTailEnd, emitTailStart, type TailFrame, type TailPlace, unreadable } from './frame.js'
import { cut, type TailCodec, type TailSource, type TailType, tailType, type TailWriter } from './tail.js'

const codec: TailCodec = {
  decode: (_descriptor, bytes) => Uint8Array.from(bytes),
  encode: (value, maxBytes) => cut(Buffer.from(value as Uint8Array), maxBytes),
}

/**
 * Bytes, such as an argv: at most `maxBytes`, of which `scarceBytes` are kept while the ring is scarce: see
 * `TailType.scarceBytes`.
 */
export function bytesTail(
  maxBytes: number,
  scarceBytes?: number,
): TailType<Uint8Array | undefined, Uint8Array | undefined, TailSource<'bytes'>> {
  return tailType({ kind: 'bytes', maxBytes, codec, ...(scarceBytes === undefined ? {} : { scarceBytes }) })
}

/** The user memory from `start` to `end` of the current task, cut at `maxBytes`. 0 captures nothing. */
export function userBytes(start: Scalar, end: Scalar, maxBytes?: number): TailSource<'bytes'> {
  return { kind: 'userBytes', fills: 'bytes', maxBytes, inputs: [nodeOf(start), nodeOf(end)], writer }
}

/**
 * The kernel's memory from `start` to `end`, cut at `maxBytes`; nothing where it cannot be read. Missing where the kernel
 * refuses bpf_probe_read_kernel.
 */
export function kernelBytes(start: Scalar, end: Scalar, maxBytes?: number): TailSource<'bytes'> {
  const inputs = [nodeOf(start), nodeOf(end)]
  return { kind: 'kernelBytes', fills: 'bytes', maxBytes, inputs, writer: kernelWriter }
}

const writer: TailWriter = {
  emit: (frame, place, inputs) => emitBytes(frame, place, inputs, BPF_FUNC_probe_read_user),
  fetch: fetchUserBytes,
}

const kernelWriter: TailWriter = {
  refusal: (frame) => unreadable(frame, false),
  emit: (frame, place, inputs) => emitBytes(frame, place, inputs, BPF_FUNC_probe_read_kernel),
}

/** Words of an array argument (MAX_ARRAY_LEN in kernel/trace/trace_probe.h). */
const MAX_ARRAY_WORDS = 64

function fetchUserBytes(
  fetcher: TailFetcher,
  inputs: readonly ExprNode[],
  maxBytes: number,
): ReadTail | Unresolved {
  const [first, last] = inputs as readonly [ExprNode, ExprNode]
  const start = fetcher.number(first)
  if (start instanceof Unresolved) return start
  const end = fetcher.number(last)
  if (end instanceof Unresolved) return end
  const address = fetcher.place(first)
  if (address instanceof Unresolved) return address
  const most = Math.min(maxBytes, fetcher.maxUserBytes)
  const pieces: number[] = []
  for (let at = 0; at < most; at += MAX_ARRAY_WORDS * 8) {
    const words = Math.min(MAX_ARRAY_WORDS, Math.ceil((most - at) / 8))
    // Arrays of user memory are refused; since Linux 5.8 a plain array reads kernel or user memory, by its address.
    const piece = fetcher.args.words(fetchAt(at, address), words)
    if (piece === undefined) return tooLong
    pieces.push(piece)
  }
  return (values) => {
    const from = start(values)
    const to = end(values)
    if (from === 0n || from > to) return undefined
    const fetched = Buffer.concat(pieces.map((piece) => values.bytes(piece)))
    const isCut = to - from > BigInt(most)
    return { value: fetched.subarray(0, isCut ? most : Number(to - from)), isCut }
  }
}

/** The temporaries are the addresses of the first byte and of what is behind the last one. */
function emitBytes(
  frame: TailFrame,
  place: TailPlace,
  [start = 0, end = 0]: readonly number[],
  helper: number,
): void {
  const { asm } = frame
  const { maxBytes } = place
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
  asm.jumpIfImm('>', R7, maxBytes, cut)
  asm.aside(cut, () => asm.movImm(R7, maxBytes).storeImm(8, R9, TEMP_FLAGS, TAIL_TRUNCATED).jump(fits))
  asm.label(fits)
  emitTailStart(frame, place, failed)
  asm.mov(R2, R7).call(helper)
  asm.jumpIfImm('!=', R0, 0, failed)
  asm.aside(failed, () => asm.storeImm(8, R9, TEMP_FLAGS, TAIL_FAILED).label(skip).movImm(R7, 0).jump(done))
  asm.label(done)
  emitTailEnd(frame, place)
}
