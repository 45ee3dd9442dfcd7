/** What a summary says of BPF programs. */

import type { SummarySpec } from '../../event/summary-spec.js'
import { programMember } from '../../process/summary.js'
import type { BpfEvent } from './events.js'

/** What a report says of BPF programs; absent as long as there were none. */
export interface BpfSummary {
  readonly bpfCalls?: {
    /** Programs that were loaded. */
    readonly loaded: number
    /** Calls that failed. */
    readonly failed: number
  }
  /** By calls of bpf(2). */
  readonly mostBpf?: readonly {
    /** The program, as in other lists. */
    readonly command: string
    readonly calls: number
    readonly errorAtMost?: number
  }[]
}

export const bpfSummary: SummarySpec<BpfEvent, BpfSummary> = {
  counts: [
    {
      at: 'bpfCalls.loaded',
      doc: 'programs that were loaded',
      of: ({ command, errno }) => (command === 'PROG_LOAD' && errno === undefined ? 1 : 0),
      text: ['BPF program loaded', 'BPF programs loaded'],
    },
    {
      at: 'bpfCalls.failed',
      doc: 'calls that failed',
      of: ({ errno }) => (errno === undefined ? 0 : 1),
      text: 'calls failed',
    },
  ],
  lists: [
    {
      type: 'sums',
      at: 'mostBpf',
      title: 'Called bpf most',
      doc: 'by calls of bpf(2)',
      members: [programMember],
      numbers: [{ name: 'calls', doc: 'how often', unit: 'count', of: () => 1 }],
    },
  ],
}
