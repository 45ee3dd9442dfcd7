/** Whose records were lost. */

import { BpfMap } from '../map/map.js'
import { FAIRNESS_MAPS, LOST_PIDS_MAP, LOST_UIDS_MAP } from '../probe/fairness.js'
import type { SessionMaps } from './maps.js'

/** Records that were lost between two looks. */
export interface TakenLosses {
  readonly total: number
  /** By the real uid of the task that ran, as the initial user namespace has it. */
  readonly uids: ReadonlyMap<number, number>
  /** By the tgid of the task that ran, which for a fork is the caller. */
  readonly pids: ReadonlyMap<number, number>
}

export class SessionLosses {
  readonly #uids: BpfMap
  readonly #pids: BpfMap
  #total = 0
  readonly #taken = new Map<number, number>()

  private constructor(uids: BpfMap, pids: BpfMap) {
    this.#uids = uids
    this.#pids = pids
  }

  /** Creates the maps that programs need when users share; those belong to the session's. */
  static open(maps: SessionMaps): SessionLosses {
    const created = new Map(FAIRNESS_MAPS.map((spec) => [spec.name, maps.add(BpfMap.create(spec))]))
    return new SessionLosses(created.get(LOST_UIDS_MAP) as BpfMap, created.get(LOST_PIDS_MAP) as BpfMap)
  }

  /** @param total records lost so far */
  take(total: number): TakenLosses {
    const uids = new Map<number, number>()
    const pids = new Map<number, number>()
    const count = total - this.#total
    if (count === 0) return { total: 0, uids, pids }
    this.#total = total
    for (const [key, value] of this.#uids.entries()) {
      const uid = u32Of(key)
      const sum = u64Of(value)
      const added = sum - (this.#taken.get(uid) ?? 0)
      if (added > 0) uids.set(uid, added)
      this.#taken.set(uid, sum)
    }
    for (const [key, value] of this.#pids.entries()) {
      pids.set(u32Of(key), u64Of(value))
      this.#pids.delete(key)
    }
    return { total: count, uids, pids }
  }
}

function u32Of(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
}

function u64Of(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
}
