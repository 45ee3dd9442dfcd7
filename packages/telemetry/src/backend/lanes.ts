/** Lanes: sources of records that number them one by one. Each level of nesting of a CPU is one (quark-ebpf). */

import { possibleCpuCount } from 'quark-ebpf'
import { MAX_LEVELS } from 'quark-ebpf/probe'

/** The lane of records and losses whose CPU is not known: it is of no CPU. */
export const UNKNOWN_LANE = possibleCpuCount() * MAX_LEVELS

/** How many lanes there are with it. */
export const LANES = UNKNOWN_LANE + 1
