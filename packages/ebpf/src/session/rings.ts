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
  SLOT_HEAD,
  SLOT_ORIGIN,
  SLOT_TAIL,
} from '../probe/scratch.js'
import type { SessionOptions } from './session.js'
import { pageSizeBytes } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'

/** A storm on one CPU fills a smaller ring before the reader comes. */
const LEAST_BYTES = 256 << 10
/** Rings of that size may take so many times what was asked for, on machines with many CPUs. */
const MOST_TIMES = 4
/** What wakes the reader: 8 bytes and their header, once per CPU and sleep. */
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
    slots: readonly MappedMemory[],
  ) {
    this.map = map
    this.layout = layout
    this.#memory = memory
    this.rings = new CpuRings(layout, {
      heads: slots.map(({ buffer }) => new BigUint64Array(buffer, SLOT_HEAD, 1)),
      tails: slots.map(({ buffer }) => new BigUint64Array(buffer, SLOT_TAIL, 1)),
      origins: slots.map(({ buffer }) => new Uint32Array(buffer, SLOT_ORIGIN, 1)),
      words: memory.words,
      bytes: Buffer.from(memory.buffer),
    })
  }

  /**
   * Makes the rings, one for each slot of the scratch; undefined where one ring for all is better.
   *
   * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when they were asked for and cannot be had
   * @throws {KernelError} when the kernel refuses the memory
   */
  static open(
    options: SessionOptions,
    slots: readonly MappedMemory[],
    maxRecordBytes: number,
  ): SessionRings | undefined {
    const sizeBytes = ringBytes(options, slots.length)
    if (sizeBytes === undefined) return undefined
    const layout = cpuRingsLayout(sizeBytes, maxRecordBytes, pageSizeBytes())
    const map = createMap(layout, slots.length, options.cpuRings === true)
    if (map === undefined) return undefined
    try {
      const memory = MappedMemory.map(map.fd, slots.length * layout.strideBytes, {
        what: 'rings of the CPUs',
        writable: false,
      })
      return new SessionRings(map, layout, memory, slots)
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
export function wakeRingBytes(cpus: number): number {
  let bytes = pageSizeBytes()
  while (bytes < 2 * cpus * WAKE_BYTES) bytes *= 2
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

/** What each CPU's ring has when nobody asks for rings; undefined when they would take too much together. */
export function usualBytes(ringSizeBytes: number, cpus: number): number | undefined {
  const bytes = Math.max(shareOf(ringSizeBytes, cpus), LEAST_BYTES)
  return bytes * cpus <= MOST_TIMES * ringSizeBytes ? bytes : undefined
}

/** Older kernels refuse values of several megabytes: then all share a ring, unless that was ruled out. */
function createMap(layout: CpuRingsLayout, cpus: number, isRequired: boolean): BpfMap | undefined {
  try {
    return BpfMap.create(cpuRingsMap(cpus, layout))
  } catch (error) {
    const isTooLarge = error instanceof KernelError && error.errno === constants.errno.E2BIG
    if (!isRequired && isTooLarge) return undefined
    throw error
  }
}
