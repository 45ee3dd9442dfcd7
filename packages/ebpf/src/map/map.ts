import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { bpf, BpfAttr, objectName, BPF_MAP_LOOKUP_BATCH } from '../sys/bpf.js'
import { BPF_MAP_CREATE, BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY } from '../sys/bpf.js'
import { BPF_MAP_FREEZE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { pageSizeBytes, type Result } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'
import { MAP_TYPES, type MapSpec, type MapType } from '../probe/map-spec.js'
import { checked, fileError, kernelError, memlockAdvice, withMemlock } from '../sys/permission.js'

export const BPF_ANY = 0
export const BPF_NOEXIST = 1
export const BPF_EXIST = 2
export const BPF_F_NO_PREALLOC = 1
export const BPF_F_RDONLY_PROG = 128
export const BPF_F_MMAPABLE = 1024

/** Maps of which batches are read: their position is a number of 4 bytes. */
const BATCHED: ReadonlySet<MapType> = new Set<MapType>(['hash', 'lruHash'])
const POSITION_BYTES = 4
const BATCH_ENTRIES = 1024
/** Of the kernel alone: a map without an operation. */
const ENOTSUPP = 524

/** Entries that one system call has read. */
interface Batch {
  readonly keys: Uint8Array
  readonly values: Uint8Array
  readonly count: number
  readonly isLast: boolean
}

let possibleCpus: number | undefined

/**
 * How many CPUs this machine may ever have: a per-CPU value has one slot for each.
 *
 * @throws {KernelError} when it cannot be read
 */
export function possibleCpuCount(): number {
  possibleCpus ??= parseCpuCount(readPossible())
  return possibleCpus
}

function readPossible(): string {
  const path = '/sys/devices/system/cpu/possible'
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    throw fileError('Cannot count the CPUs', `open of ${path}`, error)
  }
}

/**
 * One more than the largest CPU number of a list such as `0-3,8`.
 *
 * @throws {RangeError} when `text` is no such list
 */
export function parseCpuCount(text: string): number {
  const numbers = text.match(/\d+/g)
  if (numbers === null || !/^[\d,\s-]+$/.test(text)) {
    throw new RangeError(`Not a list of CPUs: "${text}"`)
  }
  return Math.max(...numbers.map(Number)) + 1
}

/** A key: its bytes, or the number of a map whose keys are 4 bytes. */
export type MapKey = Uint8Array | number

/** A key/value store, or a ring, shared by programs and user space. */
export class BpfMap implements Disposable {
  readonly spec: MapSpec
  readonly fd: Fd
  readonly keySizeBytes: number
  readonly valueSizeBytes: number

  private constructor(spec: MapSpec, fd: Fd) {
    this.spec = spec
    this.fd = fd
    this.keySizeBytes = keySize(spec)
    this.valueSizeBytes = valueSize(spec)
  }

  /**
   * Creates a map. Rings need Linux 5.8.
   *
   * @throws {KernelError} when bpf(2) refuses
   * @throws {RangeError} when the spec is invalid
   */
  static create(spec: MapSpec): BpfMap {
    checkSpec(spec)
    const attr = new BpfAttr()
      .u32(0, MAP_TYPES[spec.type])
      .u32(4, keySize(spec))
      .u32(8, valueSize(spec))
      .u32(12, spec.maxEntries)
      .u32(16, (spec.flags ?? 0) | (spec.mmapable === true ? BPF_F_MMAPABLE : 0))
      .name(28, spec.name)
    const result = withMemlock(() => bpf(BPF_MAP_CREATE, attr))
    const advice = result === -constants.errno.EPERM ? memlockAdvice() : undefined
    checked(`Cannot create map "${spec.name}" of type ${spec.type}`, 'bpf(BPF_MAP_CREATE)', result, advice)
    return new BpfMap({ ...spec, name: objectName(spec.name) }, new Fd(result, `map "${spec.name}"`))
  }

  /**
   * A copy of the value of `key`; `undefined` if there is none. For per-CPU maps see `getPerCpu`.
   *
   * @throws {KernelError | ClosedError}
   */
  get(key: MapKey): Uint8Array | undefined {
    if (isPerCpu(this.spec.type)) {
      throw new TypeError(`Map "${this.spec.name}" has a value per CPU: use getPerCpu`)
    }
    const value = new Uint8Array(this.valueSizeBytes)
    return this.#lookup(key, value) ? value : undefined
  }

  /**
   * A copy of the value of `key` on each possible CPU, in order of the CPUs; empty if the map lacks the key.
   *
   * @throws {KernelError | ClosedError}
   */
  getPerCpu(key: MapKey): Uint8Array[] {
    if (!isPerCpu(this.spec.type)) {
      throw new TypeError(`Map "${this.spec.name}" has one value per key: use get`)
    }
    const stride = perCpuStride(this.valueSizeBytes)
    const values = new Uint8Array(stride * possibleCpuCount())
    if (!this.#lookup(key, values)) {
      return []
    }
    return Array.from({ length: possibleCpuCount() }, (_, cpu) =>
      values.slice(cpu * stride, cpu * stride + this.valueSizeBytes),
    )
  }

  /**
   * Stores `value` under `key`; in per-CPU maps, on every CPU.
   *
   * @param flags `BPF_ANY`, `BPF_NOEXIST` or `BPF_EXIST`
   * @throws {KernelError} EEXIST or ENOENT when `flags` forbids it, E2BIG when the map is full
   */
  set(key: MapKey, value: Uint8Array, flags: number = BPF_ANY): void {
    if (value.byteLength !== this.valueSizeBytes) {
      throw new RangeError(
        `Values of map "${this.spec.name}" have ${this.valueSizeBytes} bytes, this one has ${value.byteLength}`,
      )
    }
    const stored = isPerCpu(this.spec.type) ? onEveryCpu(value) : value
    const attr = this.#attr(key).pointer(16, stored).u64(24, BigInt(flags))
    this.#checked('BPF_MAP_UPDATE_ELEM', bpf(BPF_MAP_UPDATE_ELEM, attr))
  }

  /**
   * Removes `key`; false if the map lacked it. Entries of arrays cannot be removed.
   *
   * @throws {KernelError | ClosedError}
   */
  delete(key: MapKey): boolean {
    return this.#found('BPF_MAP_DELETE_ELEM', bpf(BPF_MAP_DELETE_ELEM, this.#attr(key)))
  }

  /**
   * The keys, each as a copy. The current key may be deleted meanwhile; when programs change the map at the same time,
   * keys may be missed or seen twice, but never more than `maxEntries` of them.
   */
  *keys(): IterableIterator<Uint8Array> {
    let key = this.#next(undefined)
    for (let seen = 0; key !== undefined && seen < this.spec.maxEntries; seen += 1) {
      const next = this.#next(key)
      yield key
      key = next
    }
  }

  /**
   * The keys with their values, as `keys()` and `get()` give them: of hash maps many with each system call, where the
   * kernel can do that (Linux 5.6). Not for per-CPU maps.
   *
   * @throws {KernelError | ClosedError}
   */
  *entries(): IterableIterator<[key: Uint8Array, value: Uint8Array]> {
    if (BATCHED.has(this.spec.type)) {
      for (const batch of this.#batches()) {
        if (batch === undefined) break
        const { keys, values, count } = batch
        for (let i = 0; i < count; i += 1)
          yield [part(keys, i, this.keySizeBytes), part(values, i, this.valueSizeBytes)]
        if (batch.isLast) return
      }
    }
    for (const key of this.keys()) {
      const value = this.get(key)
      if (value !== undefined) {
        yield [key, value]
      }
    }
  }

  /** Undefined, as the first one, where the kernel reads no batches of such maps. */
  *#batches(): IterableIterator<Batch | undefined> {
    const { maxEntries } = this.spec
    const position = new Uint8Array(POSITION_BYTES)
    let size = Math.min(maxEntries, BATCH_ENTRIES)
    let isFirst = true
    for (let seen = 0; ;) {
      const [keys, values] = [
        new Uint8Array(size * this.keySizeBytes),
        new Uint8Array(size * this.valueSizeBytes),
      ]
      const attr = new BpfAttr().pointer(8, position).pointer(16, keys).pointer(24, values)
      if (!isFirst) attr.pointer(0, position)
      const result = bpf(BPF_MAP_LOOKUP_BATCH, attr.u32(32, size).u32(36, this.fd.number))
      const count = result === 0 || result === -constants.errno.ENOENT ? attr.readU32(32) : 0
      if (result === -constants.errno.ENOSPC && size < maxEntries) {
        // The keys that have the same hash are more than that.
        size = Math.min(maxEntries, size * 2)
        continue
      }
      if (isFirst && (result === -constants.errno.EINVAL || result === -ENOTSUPP)) {
        yield undefined
        return
      }
      const isLast = !this.#found('BPF_MAP_LOOKUP_BATCH', result) || seen + count >= maxEntries
      yield { keys, values, count, isLast }
      if (isLast) return
      seen += count
      isFirst = false
    }
  }

  /**
   * Forbids this process and all others to change the map. If programs cannot either (`BPF_F_RDONLY_PROG`), the
   * verifier takes the values of an array for constants. Needs Linux 5.2.
   *
   * @throws {KernelError | ClosedError} EBUSY when it is mapped writable; EPERM, on older kernels EBUSY, when it is frozen already
   */
  freeze(): void {
    this.#checked('BPF_MAP_FREEZE', bpf(BPF_MAP_FREEZE, new BpfAttr().u32(0, this.fd.number)))
  }

  /**
   * Maps the values of a `mmapable` array, each rounded up to 8 bytes. The memory outlives the map.
   *
   * @throws {KernelError | ClosedError}
   */
  mmap(): MappedMemory {
    if (this.spec.mmapable !== true) {
      throw new TypeError(`Map "${this.spec.name}" was not created as mmapable`)
    }
    const page = pageSizeBytes()
    const used = perCpuStride(this.valueSizeBytes) * this.spec.maxEntries
    const sizeBytes = Math.ceil(used / page) * page
    return MappedMemory.map(this.fd, sizeBytes, { what: `memory of map "${this.spec.name}"`, writable: true })
  }

  /** Closes the descriptor. The map lives on while a program or mapping uses it. */
  close(): void {
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #lookup(key: MapKey, value: Uint8Array): boolean {
    return this.#found('BPF_MAP_LOOKUP_ELEM', bpf(BPF_MAP_LOOKUP_ELEM, this.#attr(key).pointer(16, value)))
  }

  #next(key: Uint8Array | undefined): Uint8Array | undefined {
    const next = new Uint8Array(this.keySizeBytes)
    const attr = (key === undefined ? new BpfAttr().u32(0, this.fd.number) : this.#attr(key)).pointer(
      16,
      next,
    )
    return this.#found('BPF_MAP_GET_NEXT_KEY', bpf(BPF_MAP_GET_NEXT_KEY, attr)) ? next : undefined
  }

  #attr(key: MapKey): BpfAttr {
    return new BpfAttr().u32(0, this.fd.number).pointer(8, this.#keyBytes(key))
  }

  #keyBytes(key: MapKey): Uint8Array {
    if (typeof key === 'number' && (!Number.isInteger(key) || key < 0 || key > 0xffff_ffff)) {
      throw new RangeError(`Cannot use ${key} as a key of map "${this.spec.name}": use 0 to 4294967295`)
    }
    const bytes = typeof key === 'number' ? new Uint8Array(Uint32Array.of(key).buffer) : key
    if (bytes.byteLength !== this.keySizeBytes) {
      throw new RangeError(
        `Keys of map "${this.spec.name}" have ${this.keySizeBytes} bytes, this one has ${bytes.byteLength}`,
      )
    }
    return bytes
  }

  #found(command: string, result: Result): boolean {
    return result !== -constants.errno.ENOENT && this.#checked(command, result) >= 0
  }

  #checked(command: string, result: Result): Result {
    if (result < 0) {
      throw kernelError(`Cannot access map "${this.spec.name}"`, `bpf(${command})`, result)
    }
    return result
  }
}

function part(bytes: Uint8Array, index: number, sizeBytes: number): Uint8Array {
  return bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes)
}

function keySize(spec: MapSpec): number {
  return spec.type === 'ringbuf' ? 0 : (spec.keySizeBytes ?? 4)
}

function valueSize(spec: MapSpec): number {
  return spec.type === 'ringbuf' ? 0 : (spec.valueSizeBytes ?? 4)
}

function isPerCpu(type: MapType): boolean {
  return type === 'percpuArray' || type === 'percpuHash' || type === 'lruPercpuHash'
}

/** Array and per-CPU values are laid out at multiples of 8 bytes. */
function perCpuStride(valueSizeBytes: number): number {
  return Math.ceil(valueSizeBytes / 8) * 8
}

function onEveryCpu(value: Uint8Array): Uint8Array {
  const stride = perCpuStride(value.byteLength)
  const values = new Uint8Array(stride * possibleCpuCount())
  for (let cpu = 0; cpu < possibleCpuCount(); cpu += 1) {
    values.set(value, cpu * stride)
  }
  return values
}

/** Explains mistakes for which the kernel would only return EINVAL. */
function checkSpec(spec: MapSpec): void {
  const { name, type, maxEntries } = spec
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > 0xffff_ffff) {
    throw new RangeError(`Map "${name}" cannot have ${maxEntries} entries: give a whole number of at least 1`)
  }
  if (type === 'ringbuf' && ((maxEntries & (maxEntries - 1)) !== 0 || maxEntries % pageSizeBytes() !== 0)) {
    throw new RangeError(
      `Ring "${name}" cannot have ${maxEntries} bytes: give a power of two that is a multiple of ${pageSizeBytes()}`,
    )
  }
  if (spec.mmapable === true && type !== 'array') {
    throw new RangeError(`Map "${name}" of type ${type} cannot be mmapable: only arrays can`)
  }
}
