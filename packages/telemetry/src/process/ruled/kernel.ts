/**
 * What rules leave out, in the kernel: for each process of which that was found out, a map has which of its records need
 * not be written. When something changes a process, programs take it out of the map again.
 */

import {
  and,
  concluded,
  eq,
  increase,
  lookup,
  map,
  narrowed,
  ne,
  type Probe,
  remove,
  type Scalar,
  type TypedMap,
  u16,
  u32,
  u64,
} from 'quark-ebpf/probe'

/** Most processes of which records are left out at a time. */
export const MAX_DECIDED = 8192
/** Most reasons why records are left out, those of rules that are not used any more included. */
export const MAX_REASONS = 4096

/** The declarations of the maps, which all programs of a session share. */
export interface DecisionMaps {
  /** By pid: for each group of records the number of the reason why it is left out; 0 for none. */
  readonly decided: TypedMap<typeof u32, Readonly<Record<string, typeof u16>>>
  /** How many records were left out, by the number of the reason. */
  readonly leftOut: TypedMap<typeof u32, typeof u64>
}

/** Declares the maps for so many groups of records. */
export function decisionMaps(groups: number): DecisionMaps {
  const value = Object.fromEntries(Array.from({ length: groups }, (_, group) => [fieldOf(group), u16]))
  return {
    decided: map({ name: 'quark_decided', type: 'hash', key: u32, value, maxEntries: MAX_DECIDED }),
    leftOut: map({
      name: 'quark_left_out',
      type: 'percpuArray',
      key: u32,
      value: u64,
      maxEntries: MAX_REASONS,
    }),
  }
}

/** The field of a group in the value of a process. */
export function fieldOf(group: number): string {
  return `g${group}`
}

/** A probe that writes no record that rules leave out, and counts those. Where its record has no pid, it is as it was. */
export function deciding(probe: Probe, group: number, { decided, leftOut }: DecisionMaps): Probe {
  return narrowed(probe, (filling, already) => {
    const pid = filling('pid')
    if (pid === undefined) return undefined
    const reason = lookup(decided, pid)[fieldOf(group)] as Scalar
    const isLeftOut = already === undefined ? ne(reason, 0) : and(already, ne(reason, 0))
    return { when: eq(reason, 0), effects: [increase(leftOut, reason, isLeftOut)] }
  })
}

/** A probe after whose record its process is another one than rules were asked about. */
export function changing(probe: Probe, { decided }: DecisionMaps): Probe {
  return concluded(probe, (filling) => {
    const pid = filling('pid')
    return pid === undefined ? [] : [remove(decided, pid)]
  })
}
