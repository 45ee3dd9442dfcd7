/** What maps are created from, as data. */

/** `BPF_MAP_TYPE_*` numbers of the map types that this package knows. */
export const MAP_TYPES = {
  hash: 1,
  array: 2,
  programArray: 3,
  perfEventArray: 4,
  percpuHash: 5,
  percpuArray: 6,
  stackTrace: 7,
  cgroupArray: 8,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  ringbuf: 27,
} as const

/** The kind of a map, such as `array` for `BPF_MAP_TYPE_ARRAY`. */
export type MapType = keyof typeof MAP_TYPES

/** Everything the kernel needs to create a map, as data. */
export interface MapSpec {
  /** Characters other than letters, digits and underscores become underscores; the kernel keeps 15. */
  readonly name: string
  readonly type: MapType
  /** 4 when absent; a ringbuf has no keys. */
  readonly keySizeBytes?: number
  /** 4 when absent; a ringbuf has no values. */
  readonly valueSizeBytes?: number
  /** Number of entries; of a ringbuf, its size in bytes: a power of two and whole pages. */
  readonly maxEntries: number
  /** An array that user space may map into its memory. Needs Linux 5.5. */
  readonly mmapable?: boolean
  /** More `BPF_F_*` flags of BPF_MAP_CREATE. */
  readonly flags?: number
}
