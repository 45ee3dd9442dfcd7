/** A declared map as user space sees it: keys and values with the fields of their declaration. */

import { BPF_EXIST, type BpfMap } from '../map/map.js'
import type { FixedType, MapParts, MapShape, TypedMap } from '../probe/index.js'
import { readFixed, writeFixed } from '../probe/fixed-codec.js'
import { KernelError } from '../sys/errors.js'

/** What a part of a key or value is in user space: of 8 bytes a bigint, of less a number, of a run of bytes its text. */
type Part<T> = T extends FixedType<infer Decoded> ? Decoded : never

/** A key or a value: one number or text, or an object with the declared fields. */
export type MapEntry<P extends MapParts> = P extends FixedType
  ? Part<P>
  : { readonly [K in keyof P]: Part<P[K]> }

/** A map of a session. The session owns it: it cannot be used when the session is closed. */
export class SessionMap<K extends MapParts = MapParts, V extends MapParts = MapParts> {
  /** The same map as bytes. */
  readonly raw: BpfMap
  readonly #declared: TypedMap<K, V>

  constructor(declared: TypedMap<K, V>, raw: BpfMap) {
    this.#declared = declared
    this.raw = raw
  }

  /**
   * The value of a key; `undefined` if there is none. Where each CPU has a value of its own, numbers are the sums of
   * theirs, and text is that of the first CPU that has any.
   *
   * @throws {KernelError | ClosedError}
   */
  get(key: MapEntry<K>): MapEntry<V> | undefined {
    return this.#value(this.#keyBytes(key))
  }

  /**
   * The values of a key on each possible CPU, in order of the CPUs; empty where there is none.
   *
   * @throws {KernelError | ClosedError}
   * @throws {TypeError} when the map has one value per key
   */
  perCpu(key: MapEntry<K>): MapEntry<V>[] {
    const { value } = this.#declared
    return this.raw.getPerCpu(this.#keyBytes(key)).map((bytes) => read(value, bytes) as MapEntry<V>)
  }

  /**
   * Stores a value; where each CPU has its own, all of them get it.
   *
   * @throws {RangeError} when a number does not fit its field
   * @throws {KernelError | ClosedError} E2BIG when the map is full
   */
  set(key: MapEntry<K>, value: MapEntry<V>): void {
    this.raw.set(this.#keyBytes(key), write(this.#declared.value, value, `map ${this.#declared.name}`))
  }

  /**
   * As `set`, of a key that the map has; false where it lacks it.
   *
   * @throws as `set`
   */
  replace(key: MapEntry<K>, value: MapEntry<V>): boolean {
    const bytes = write(this.#declared.value, value, `map ${this.#declared.name}`)
    try {
      this.raw.set(this.#keyBytes(key), bytes, BPF_EXIST)
      return true
    } catch (error) {
      if (!(error instanceof KernelError) || error.errnoName !== 'ENOENT') throw error
      return false
    }
  }

  /** Removes a key; false where it was not. @throws {KernelError | ClosedError} */
  delete(key: MapEntry<K>): boolean {
    return this.raw.delete(this.#keyBytes(key))
  }

  /**
   * The keys; see `BpfMap.keys`.
   *
   * @throws {KernelError | ClosedError}
   */
  *keys(): IterableIterator<MapEntry<K>> {
    for (const bytes of this.raw.keys()) yield read(this.#declared.key, bytes) as MapEntry<K>
  }

  /** The keys with their values, as `keys` and `get` give them; see `BpfMap.entries`. @throws {KernelError | ClosedError} */
  *entries(): IterableIterator<[key: MapEntry<K>, value: MapEntry<V>]> {
    const { key: keyShape, value: valueShape } = this.#declared
    if (!this.#isPerCpu) {
      for (const [key, value] of this.raw.entries()) {
        yield [read(keyShape, key) as MapEntry<K>, read(valueShape, value) as MapEntry<V>]
      }
      return
    }
    for (const key of this.raw.keys()) {
      const value = this.#value(key)
      if (value !== undefined) yield [read(keyShape, key) as MapEntry<K>, value]
    }
  }

  get #isPerCpu(): boolean {
    const { type } = this.#declared
    return type === 'percpuHash' || type === 'lruPercpuHash' || type === 'percpuArray'
  }

  #keyBytes(key: MapEntry<K>): Uint8Array {
    return write(this.#declared.key, key, `map ${this.#declared.name}`)
  }

  #value(key: Uint8Array): MapEntry<V> | undefined {
    const { value } = this.#declared
    if (!this.#isPerCpu) {
      const bytes = this.raw.get(key)
      return bytes === undefined ? undefined : (read(value, bytes) as MapEntry<V>)
    }
    const values = this.raw.getPerCpu(key).map((bytes) => read(value, bytes))
    return values.length === 0 ? undefined : (values.reduce(sum) as MapEntry<V>)
  }
}

type Decoded = number | bigint | string
type DecodedEntry = Decoded | Readonly<Record<string, Decoded>>

function sum(left: DecodedEntry, right: DecodedEntry): DecodedEntry {
  if (typeof left !== 'object' || typeof right !== 'object') return sumOf(left as Decoded, right as Decoded)
  return Object.fromEntries(
    Object.entries(left).map(([name, value]) => [name, sumOf(value, right[name] as Decoded)]),
  )
}

function sumOf(left: Decoded, right: Decoded): Decoded {
  if (typeof left === 'bigint') return left + (right as bigint)
  if (typeof left === 'number') return left + (right as number)
  return left === '' ? right : left
}

function read({ fields }: MapShape, bytes: Uint8Array): DecodedEntry {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const entry: Record<string, Decoded> = {}
  for (const { name, offset, sizeBytes, kind } of fields) {
    const value = readFixed(buffer, offset, sizeBytes, kind) as Decoded
    if (name === '') return value
    entry[name] = value
  }
  return entry
}

function write({ fields, sizeBytes }: MapShape, entry: unknown, where: string): Uint8Array {
  const buffer = Buffer.alloc(sizeBytes)
  for (const { name, offset, sizeBytes: size, kind } of fields) {
    const value = name === '' ? entry : (entry as Record<string, unknown>)[name]
    if (value === undefined) throw new TypeError(`Cannot use an entry of ${where} without its field ${name}`)
    writeFixed(buffer, offset, size, kind, value as Decoded)
  }
  return buffer
}
