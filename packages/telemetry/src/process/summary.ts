/** What lists of summaries say of processes. */

import type { SummaryMember, SummaryRow } from '../event/summary-spec.js'
import type { Process } from './process.js'

interface OfProcess {
  readonly process: Process | undefined
}

/** A program: its path, else the name of the process. */
export const programMember: SummaryMember<OfProcess> = {
  name: 'command',
  doc: 'path of the program, else name of the process, of which the last 256 characters',
  type: 'name',
  of: ({ process }) => process?.exe ?? process?.comm ?? '(unknown)',
}

/** One process. */
export const processMembers: readonly SummaryMember<OfProcess>[] = [
  {
    name: 'pid',
    doc: 'of the process',
    type: 'number',
    of: ({ process }) => process?.pid,
    label: 'pid ',
  },
  {
    ...programMember,
    label: '  ',
    text: ({ arguments: words, command }: SummaryRow) =>
      words === undefined || words === '' ? (command as string) : undefined,
  },
  {
    name: 'arguments',
    doc: 'its arguments as one could paste them into a shell, maybe cut; absent if they are not known',
    type: 'command',
    of: ({ process }) => process?.argv,
    label: '  ',
  },
]

/** The real user of the process. */
export const userMember: SummaryMember<OfProcess> = {
  name: 'uid',
  doc: 'real uid',
  type: 'uid',
  of: ({ process }) => process?.uid,
}
