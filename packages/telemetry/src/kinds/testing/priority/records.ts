/** Layouts of priority records. */

import { record, s32, stringTail, u32 } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const PRIORITY_KIND = 0xc8

/** Whose priority: `PRIO_PROCESS`, `PRIO_PGRP` or `PRIO_USER`, and the number of that. */
const target = { which: u32, who: u32, nice: s32 } as const

/** Somebody called setpriority(2) with success. */
export const priorityLayout = record((PRIORITY_KIND << 8) | 1, 'priority', { pid: u32, ...target })

/** What somebody wrote about a priority that they set. */
export const noteLayout = record((PRIORITY_KIND << 8) | 2, 'priorityNote', {
  ...target,
  text: stringTail(256),
})

/** A priority that was there already. */
export const foundLayout = record((PRIORITY_KIND << 8) | 3, 'priorityFound', target)
