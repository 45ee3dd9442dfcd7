/** Whether the CPUs of a session have rings of their own, and their memory. */

import { constants } from 'node:os'
import { CpuRings } from '../ring/cpu-rings.js'
import { EbpfError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { probeFeature } from '../kernel/features.js'
import { BpfMap } from '../map/map.js'
import {
  type CpuRingsLayout,
  cpuRingsLayout,
  cpuRingsMap,
  type LevelSizes,
  ringOffset,
  SLOT_HEAD,
  SLOT_ORIGIN,
  SLOT_RING,
  SLOT_RING_MASK,
  SLOT_TAIL,
} from '../probe/scratch.js'
import type { SessionLanes } from './lanes.js'
import type { SessionOptions } from './options.js'
import type { SessionShares } from './shares.js'
import { pageSizeBytes } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'

/** A storm on one CPU fills a smaller ring before the reader comes. */
const LEAST_BYTES = 512 << 10
/** On machines with many CPUs, rings of that size may take at most this many times `ringSizeBytes`. */
const MOST_TIMES = 4
/** What wakes the reader: 8 bytes and their header, once per lane and sleep. */
const WAKE_BYTES = 16

export class SessionRings implements Disposable {
  readonly map: BpfMap
  readonly layout: CpuRingsLayout
  readonly rings: CpuRings
  readonly #memory: MappedMemory

  private constructor(
    map: BpfMap,
    layout: CpuRingsLayout,
    memory: MappedMemory,
    lanes: SessionLanes,
    shares: SessionShares | undefined,
  ) {
    this.map = map
    this.layout = layout
    this.#memory = memory
    this.rings = new CpuRings({
      rings: lanes.pages.map(({ buffer }, lane) => {
        const level = Math.floor(lane / lanes.cpus)
        const startBytes = ringOffset(layout, lane % lanes.cpus, level)
        const sizeBytes = level === 0 ? layout.sizeBytes : layout.nestedSizeBytes
        new Uint32Array(buffer, SLOT_RING, 1)[0] = startBytes
        new Uint32Array(buffer, SLOT_RING_MASK, 1)[0] = sizeBytes - 1
        return {
          head: new BigUint64Array(buffer, SLOT_HEAD, 1),
          tail: new BigUint64Array(buffer, SLOT_TAIL, 1),
          origin: new Uint32Array(buffer, SLOT_ORIGIN, 1),
          startBytes,
          sizeBytes,
          shares: shares?.ofRing(sizeBytes, buffer),
        }
      }),
      words: memory.words,
      bytes: Buffer.from(memory.buffer),
    })
  }

  /**
   * Creates the rings, one for each lane; undefined if all CPUs should share one ring.
   *
   * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when they were asked for and are not possible
   * @throws {KernelError} when the kernel refuses the memory
   */
  static open(
    options: SessionOptions,
    lanes: SessionLanes,
    sizes: LevelSizes,
    shares: SessionShares | undefined,
  ): SessionRings | undefined {
    const { cpus } = lanes
    const created = createRings(options, cpus, sizes)
    if (created === undefined) return undefined
    const { layout, map } = created
    try {
      const memory = MappedMemory.map(map.fd, cpus * layout.strideBytes, {
        what: 'rings of the CPUs',
        writable: false,
      })
      return new SessionRings(map, layout, memory, lanes, shares)
    } catch (error) {
      map.close()
      throw error
    }
  }

  /** Unmaps the rings; the session closes the map. */
  close(): void {
    this.rings.stop()
    this.#memory.close()
  }

  /** As `close`, and closes the map, which no session has taken over. */
  [Symbol.dispose](): void {
    this.close()
    this.map.close()
  }
}

/** Bytes of the ring that only wakes: its programs must always find room in it. */
export function wakeRingBytes(lanes: number): number {
  let bytes = pageSizeBytes()
  while (bytes < 2 * lanes * WAKE_BYTES) bytes *= 2
  return bytes
}

/** Bytes of each CPU's ring; undefined for one ring that all share. */
function ringBytes({ cpuRings, ringSizeBytes, probeRead }: SessionOptions, cpus: number): number | undefined {
  if (cpuRings === false) return undefined
  const isPossible = process.arch === 'x64' && (probeRead ?? probeFeature('probeReadKernel').supported)
  if (isPossible) return cpuRings === true ? shareOf(ringSizeBytes, cpus) : usualBytes(ringSizeBytes, cpus)
  if (cpuRings === undefined) return undefined
  throw new EbpfError(
    'ERR_EBPF_NOT_SUPPORTED',
    'Cannot give each CPU a ring: that needs x86-64, and a kernel that lets programs read its memory',
  )
}

/** An equal part, as a power of two, but at least a page. */
function shareOf(ringSizeBytes: number, cpus: number): number {
  let bytes = pageSizeBytes()
  while (bytes * 2 * cpus <= ringSizeBytes) bytes *= 2
  return bytes
}

/** Default size of each CPU's ring; undefined if all together would take too much. */
export function usualBytes(ringSizeBytes: number, cpus: number): number | undefined {
  const bytes = Math.max(shareOf(ringSizeBytes, cpus), LEAST_BYTES)
  return bytes * cpus <= MOST_TIMES * ringSizeBytes ? bytes : undefined
}

/**
 * Older kernels refuse values of more than 4 MiB: then the rings are smaller, down to the least size that is worth it,
 * and below that all CPUs share one.
 */
function createRings(
  options: SessionOptions,
  cpus: number,
  sizes: LevelSizes,
): { readonly layout: CpuRingsLayout; readonly map: BpfMap } | undefined {
  let bytes = ringBytes(options, cpus)
  while (bytes !== undefined) {
    const layout = cpuRingsLayout(bytes, sizes, pageSizeBytes())
    try {
      return { layout, map: BpfMap.create(cpuRingsMap(cpus, layout)) }
    } catch (error) {
      const isTooLarge = error instanceof KernelError && error.errno === constants.errno.E2BIG
      if (options.cpuRings === true || !isTooLarge) throw error
      bytes = bytes / 2 < LEAST_BYTES ? undefined : bytes / 2
    }
  }
  return undefined
}
