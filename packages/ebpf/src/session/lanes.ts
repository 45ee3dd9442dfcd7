/** The scratch of a session as user space sees it: the first page of every lane's slot. */

import { BpfMap } from '../map/map.js'
import {
  COUNTERS,
  levelOffset,
  scratchMap,
  type ScratchLayout,
  RECORD_OFFSET,
  SLOT_FAIR_BYTES,
  SLOT_FIRST_LEVEL,
  SLOT_LOST,
  SLOT_PRODUCED,
  SLOT_SEQ,
  SLOT_SHORTENED,
  SLOT_STOOD_IN,
  SLOT_TOO_DEEP,
} from '../probe/scratch.js'
import { HEADER_CPU } from '../probe/record.js'
import { pageSizeBytes } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'

/** Lanes are numbered level by level: `lane = level * cpus + cpu`. */
export class SessionLanes implements Disposable {
  readonly map: BpfMap
  readonly layout: ScratchLayout
  readonly cpus: number
  /** The first page of each lane's slot. */
  readonly pages: readonly MappedMemory[]

  private constructor(map: BpfMap, layout: ScratchLayout, cpus: number, pages: readonly MappedMemory[]) {
    this.map = map
    this.layout = layout
    this.cpus = cpus
    this.pages = pages
    for (const [lane, { buffer }] of pages.entries()) {
      const first = Math.floor(lane % cpus) * layout.cpuBytes + levelOffset(layout, 0)
      new Uint32Array(buffer, SLOT_FIRST_LEVEL, 1)[0] = first
      // Programs never write it: each record that is made in this slot is of this lane.
      new Uint16Array(buffer, RECORD_OFFSET + HEADER_CPU, 1)[0] = lane
    }
  }

  /** @throws {KernelError} when the kernel refuses the memory */
  static open(layout: ScratchLayout, cpus: number): SessionLanes {
    const map = BpfMap.create(scratchMap(cpus, layout))
    const pages: MappedMemory[] = []
    try {
      for (let lane = 0; lane < layout.levels * cpus; lane += 1) {
        const cpu = lane % cpus
        const level = Math.floor(lane / cpus)
        pages.push(
          MappedMemory.map(map.fd, pageSizeBytes(), {
            what: `counters of CPU ${cpu}, level ${level}`,
            writable: true,
            offsetBytes: cpu * layout.cpuBytes + levelOffset(layout, level),
          }),
        )
      }
      return new SessionLanes(map, layout, cpus, pages)
    } catch (error) {
      for (const page of pages) page.close()
      map.close()
      throw error
    }
  }

  /** What is counted in one of the counters. */
  count(counter: number): { readonly produced: number; readonly lost: number } {
    return {
      produced: this.#sum(SLOT_PRODUCED + counter * 8),
      lost: this.#sum(SLOT_LOST + counter * 8),
    }
  }

  /** Records that found no room. */
  get lost(): number {
    let sum = 0
    for (const { buffer } of this.pages) {
      for (const count of new BigUint64Array(buffer, SLOT_LOST, COUNTERS)) sum += Number(count)
    }
    return sum
  }

  /** Records that were shortened since the ring was scarce. */
  get shortened(): number {
    return this.#sum(SLOT_SHORTENED)
  }

  /** Has users share so many bytes of the ring of each lane of a level. */
  shareAmongUsers(bytesOf: (level: number) => number): void {
    for (const [lane, { buffer }] of this.pages.entries()) {
      const bytes = bytesOf(Math.floor(lane / this.cpus))
      Atomics.store(new Uint32Array(buffer, SLOT_FAIR_BYTES, 1), 0, Math.floor(bytes))
    }
  }

  /** Runs that a stand-in made up for. */
  get stoodIn(): number {
    return this.#sum(SLOT_STOOD_IN)
  }

  /** Runs that found no level free. */
  get tooDeep(): number {
    return this.#sum(SLOT_TOO_DEEP)
  }

  /** Number of the last record that each lane made, lost ones included. */
  sequences(): Uint32Array {
    return Uint32Array.from(this.pages, ({ buffer }) => new Uint32Array(buffer, SLOT_SEQ, 1)[0] as number)
  }

  #sum(offset: number): number {
    return this.pages.reduce((sum, { buffer }) => sum + Number(new BigUint64Array(buffer, offset, 1)[0]), 0)
  }

  /** Unmaps the pages; the session closes the map. */
  close(): void {
    for (const page of this.pages) page.close()
  }

  /** As `close`, and closes the map, which no session has taken over. */
  [Symbol.dispose](): void {
    this.close()
    this.map.close()
  }
}
