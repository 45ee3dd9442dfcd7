import { HEADER_SIZE_BYTES, TAIL_FAILED, TAIL_LENGTH_MASK } from 'quark-ebpf/probe'
import type { RecordedField, RecordedTail, RecordedType } from './format.js'

interface Move {
  readonly from: RecordedField
  readonly to: RecordedField
}

/**
 * Writes records of one layout as records of another: fields of the same name and type are copied, numbers of another
 * width keep their value if it fits. What the other layout does not have is dropped; what only it has is 0, and a tail
 * that could not be read.
 */
export class Transcoder {
  /** The record that was written last; its bytes begin at 0. */
  words = new Uint32Array(64)
  bytes = new Uint8Array(this.words.buffer)
  lengthBytes = 0
  readonly #from: RecordedType
  readonly #to: RecordedType
  readonly #moves: readonly Move[]
  /** For each tail of the result the number of the one it is copied from; -1 for none. */
  readonly #sources: readonly number[]

  constructor(from: RecordedType, to: RecordedType) {
    this.#from = from
    this.#to = to
    this.#moves = to.fields.flatMap((field) => {
      const source = from.fields.find(({ name }) => name === field.name)
      return source !== undefined && isText(source) === isText(field) ? [{ from: source, to: field }] : []
    })
    this.#sources = to.tails.map((tail) =>
      from.tails.findIndex(({ name, type }) => name === tail.name && type === tail.type),
    )
  }

  /** Names of fields that are dropped. */
  get dropped(): string[] {
    const kept = new Set(this.#moves.map(({ from }) => from.name))
    for (const at of this.#sources) kept.add(this.#from.tails[at]?.name ?? '')
    return [...this.#from.fields, ...this.#from.tails]
      .map(({ name }) => name)
      .filter((name) => !kept.has(name))
  }

  /** Writes a record; false if it is broken: shorter than its layout or its tails say. */
  write(bytes: Uint8Array, at: number, lengthBytes: number): boolean {
    const { size, tails } = this.#from
    if (lengthBytes < size) return false
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, lengthBytes)
    let end = size
    const starts = tails.map(({ offset }) => {
      const start = end
      end += view.getUint32(offset, true) & TAIL_LENGTH_MASK
      return start
    })
    if (end > lengthBytes) return false
    const lengths = this.#sources.map((source) => lengthOf(view, tails[source]))
    this.lengthBytes = lengths.reduce((sum, length) => sum + length, this.#to.size)
    this.#reserve(this.lengthBytes)
    this.bytes.fill(0, 0, this.#to.size)
    this.bytes.set(bytes.subarray(at, at + HEADER_SIZE_BYTES))
    const result = new DataView(this.bytes.buffer)
    result.setUint16(0, this.#to.type, true)
    for (const { from, to } of this.#moves) move(view, from, result, to)
    let target = this.#to.size
    for (const [i, { offset }] of this.#to.tails.entries()) {
      const source = this.#sources[i] as number
      const length = lengths[i] as number
      const descriptor =
        tails[source] === undefined
          ? TAIL_FAILED
          : view.getUint32((tails[source] as RecordedTail).offset, true)
      result.setUint32(offset, descriptor, true)
      const start = at + (starts[source] ?? 0)
      this.bytes.set(bytes.subarray(start, start + length), target)
      target += length
    }
    return true
  }

  #reserve(lengthBytes: number): void {
    if (lengthBytes <= this.bytes.length) return
    this.words = new Uint32Array(1 << (32 - Math.clz32((lengthBytes + 3) >> 2)))
    this.bytes = new Uint8Array(this.words.buffer)
  }
}

function lengthOf(view: DataView, tail: RecordedTail | undefined): number {
  return tail === undefined ? 0 : view.getUint32(tail.offset, true) & TAIL_LENGTH_MASK
}

function isText({ type }: RecordedField): boolean {
  return type === 'chars'
}

function move(source: DataView, from: RecordedField, target: DataView, to: RecordedField): void {
  if (isText(from) || (from.type === to.type && from.size === to.size)) {
    // Characters end with a NUL, which a shorter field must have, too.
    const size = from.size <= to.size ? from.size : to.size - (isText(to) ? 1 : 0)
    for (let i = 0; i < size; i++) target.setUint8(to.offset + i, source.getUint8(from.offset + i))
    return
  }
  const value = numberAt(source, from)
  const bits = to.size * 8
  if (value !== (to.type.startsWith('s') ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value))) return
  for (let i = 0; i < to.size; i++) {
    target.setUint8(to.offset + i, Number(BigInt.asUintN(8, value >> BigInt(i * 8))))
  }
}

/** The number of a field of any width. */
function numberAt(view: DataView, { type, offset, size }: RecordedField): bigint {
  let value = 0n
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(offset + i))
  return type.startsWith('s') ? BigInt.asIntN(size * 8, value) : value
}
