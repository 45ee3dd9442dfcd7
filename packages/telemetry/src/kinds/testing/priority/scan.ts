/** Priorities that processes have already. */

import { readdirSync } from 'node:fs'
import { getPriority } from 'node:os'
import { encodeRecord } from 'quark-ebpf/probe'
import type { Surroundings } from '../../kind.js'
import type { PrioritySettings } from './options.js'
import { foundLayout } from './records.js'

/** A record for each process whose priority is not the usual one, as many as the table holds. */
export function* scanPriorities(
  { settings: { priorities, maxPriorities } }: Surroundings<PrioritySettings>,
  clock: { bootNowNs(): number },
): Iterable<Uint8Array> {
  if (!priorities) return
  let left = maxPriorities
  for (const name of readdirSync('/proc')) {
    const who = /^\d+$/.test(name) ? Number(name) : 0
    const nice = who === 0 ? 0 : niceOf(who)
    if (nice === 0) continue
    const timeNs = BigInt(clock.bootNowNs())
    yield encodeRecord(foundLayout, { cpu: 0, seq: 0, timeNs }, { which: 0, who, nice })
    left -= 1
    if (left === 0) return
  }
}

/** 0 as well for a process that has ended. */
function niceOf(pid: number): number {
  try {
    return getPriority(pid)
  } catch {
    return 0
  }
}
