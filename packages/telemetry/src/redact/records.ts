import type { RecordLayout } from 'quark-ebpf/probe'
import { MAX_TAIL_BYTES, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { RecordRedaction, Redaction, TailSecrets } from '../event/redaction.js'
import { latin1Of } from '../memory/text.js'

/** A type of record, with how the secrets of its tails are looked for. */
export interface SecretiveType {
  readonly layout: RecordLayout
  readonly secrets?: Readonly<Record<string, TailSecrets>>
}

interface Tail {
  /** Of the descriptor. */
  readonly offset: number
  readonly secrets: TailSecrets
}

interface Shape {
  readonly fixedSizeBytes: number
  readonly tails: readonly Tail[]
}

/** Takes secrets out of records before they leave the process as they are: in recordings, and as raw events. */
export class RecordRedactor implements RecordRedaction {
  readonly #redaction: Redaction
  readonly #shapes = new Map<number, Shape>()

  constructor(redaction: Redaction, types: readonly SecretiveType[]) {
    this.#redaction = redaction
    for (const { layout, secrets = {} } of types) {
      const { type, fixedSizeBytes, tails } = layout
      if (tails.length === 0) continue
      this.#shapes.set(type, {
        fixedSizeBytes,
        tails: tails.map(({ name, offset }) => ({ offset, secrets: secrets[name] ?? 'text' })),
      })
    }
  }

  /** The record without secrets; undefined if it has none, or is broken. */
  redacted(array: Uint8Array, offset: number, length: number): Buffer | undefined {
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength)
    const shape = length < 2 ? undefined : this.#shapes.get(bytes.readUInt16LE(offset))
    if (shape === undefined || length < shape.fixedSizeBytes) return undefined
    const shown = this.#tailsOf(shape, bytes, offset, length)
    return shown === undefined ? undefined : written(shape, bytes.subarray(offset, offset + length), shown)
  }

  /** What each tail is without secrets; undefined if all stay what they are. */
  #tailsOf(
    { fixedSizeBytes, tails }: Shape,
    bytes: Buffer,
    offset: number,
    length: number,
  ): string[] | undefined {
    const shown: string[] = []
    let hasSecrets = false
    let at = fixedSizeBytes
    for (const { offset: place, secrets } of tails) {
      const end = at + (bytes.readUInt32LE(offset + place) & TAIL_LENGTH_MASK)
      if (end > length) return undefined
      const real = latin1Of(bytes, offset + at, offset + end)
      const text = this.#shownOf(real, secrets)
      hasSecrets ||= text !== real
      shown.push(text)
      at = end
    }
    return hasSecrets ? shown : undefined
  }

  #shownOf(text: string, secrets: TailSecrets): string {
    switch (secrets) {
      case 'argv':
        return this.#redaction.argvBytes(text)
      case 'env':
        return this.#redaction.envBytes(text)
      case 'text':
        return this.#redaction.textBytes(text)
      case 'terminal':
        return this.#redaction.terminalBytes(text)
    }
  }
}

/** The record with other tails. */
function written({ fixedSizeBytes, tails }: Shape, record: Buffer, texts: readonly string[]): Buffer {
  const cut = texts.map((text) => (text.length > MAX_TAIL_BYTES ? text.slice(0, MAX_TAIL_BYTES) : text))
  const sizeBytes = cut.reduce((size, text) => size + text.length, fixedSizeBytes)
  const copy = Buffer.alloc((sizeBytes + 7) & ~7)
  record.copy(copy, 0, 0, fixedSizeBytes)
  let at = fixedSizeBytes
  for (const [i, { offset }] of tails.entries()) {
    const text = cut[i] as string
    const flags = (record.readUInt32LE(offset) & ~TAIL_LENGTH_MASK) >>> 0
    const isCut = text !== texts[i] && (flags & TAIL_FAILED) === 0
    copy.writeUInt32LE((flags | (isCut ? TAIL_TRUNCATED : 0) | text.length) >>> 0, offset)
    copy.write(text, at, 'latin1')
    at += text.length
  }
  return copy
}
