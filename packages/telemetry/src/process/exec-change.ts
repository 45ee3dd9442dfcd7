/** That a process executes what its own session or tree wrote before: what events of several kinds say of it. */

import type { ObjectSpec } from '../event/spec.js'
import type { TextNote } from '../event/spec.js'
import type { SummarySums } from '../event/summary-spec.js'
import type { Process } from './process.js'
import { programMember } from './summary.js'

/** Who wrote a file before it was executed, and when. */
export interface ExecChange {
  /** The program itself, or the script that it interprets: what was executed, or the first argument of an interpreter. */
  readonly file: 'program' | 'script'
  /** Name of the script as it was executed or opened; undefined of programs, which are the process's `exe`. */
  readonly script: string | undefined
  /** How the writer and the process belong together: by their session, or as relatives of different ones. */
  readonly relation: 'session' | 'tree'
  /** Epoch ns at which it was opened to be written, the last time. */
  readonly openedNs: bigint
  readonly writerPid: number
  readonly writerEntityId: string | undefined
  readonly writerComm: string | undefined
  readonly writerUid: number
  /** It has no name, only memory (memfd_create(2)). */
  readonly memfd: boolean
}

export const execChangeObject: ObjectSpec<ExecChange> = {
  name: 'execChange',
  doc: 'Who wrote a file before it was executed, and when',
  fields: {
    file: {
      type: 'word',
      words: ['program', 'script'],
      doc: 'the program itself, or the script that it interprets',
      isAlwaysKnown: true,
      dump: 'CHNG file',
      ecs: 'file',
    },
    script: {
      type: 'string',
      doc: 'name of the script, as it was executed or opened',
      dump: 'CHNG script',
      ecs: 'script',
    },
    relation: {
      type: 'word',
      words: ['session', 'tree'],
      doc: 'how the writer and the process belong together: by their session, or as relatives of different ones',
      isAlwaysKnown: true,
      dump: 'CHNG relation',
      ecs: 'relation',
    },
    openedNs: {
      type: 'time',
      doc: 'when it was opened to be written, the last time',
      isAlwaysKnown: true,
      json: 'opened',
      dump: 'CHNG opened',
      ecs: 'opened',
    },
    writerPid: {
      type: 'pid',
      doc: 'of the process that opened it to be written, the last one that did',
      isAlwaysKnown: true,
      dump: 'CHNG pid',
      ecs: 'writer.pid',
    },
    writerEntityId: {
      type: 'string',
      doc: 'id of that process, as in its own events, if it is still known',
      ecs: 'writer.entity_id',
    },
    writerComm: { type: 'string', doc: 'its name', dump: 'CHNG comm', ecs: 'writer.name' },
    writerUid: {
      type: 'uid',
      doc: 'its real user',
      isAlwaysKnown: true,
      dump: 'CHNG uid',
      ecs: 'writer.user',
    },
    memfd: {
      type: 'flag',
      doc: 'it has no name, only memory (memfd_create(2))',
      dump: 'CHNG memfd',
      ecs: 'memfd',
    },
  },
  lines: ['CHNG file script relation pid uid comm opened memfd'],
}

interface WithChange {
  readonly execChange?: ExecChange | undefined
}

/** Notes of events that have it. */
export const execChangeNotes: readonly TextNote<WithChange>[] = [
  {
    label: 'script ',
    type: 'string',
    value: ({ execChange }) => execChange?.script,
    doc: 'the script that was written before it was executed',
    example: 'script ./build.sh',
  },
  {
    label: 'written by ',
    type: 'string',
    value: ({ execChange }) => (execChange === undefined ? undefined : (execChange.writerComm ?? '?')),
    tone: 'changed',
    doc: 'its own session or tree wrote the program or script before',
    example: 'written by cc1',
  },
  {
    label: '[',
    end: ']',
    gap: '',
    type: 'pid',
    value: ({ execChange }) => execChange?.writerPid,
    tone: 'changed',
    doc: 'pid of the process that did',
    example: '[4243]',
  },
]

/** Programs that were written and then executed. */
export const execChangeList: SummarySums<WithChange & { readonly process: Process | undefined }> = {
  type: 'sums',
  at: 'mostWritten',
  title: 'Written, then executed',
  doc: 'programs by how often they were executed by the session or tree that wrote them, or their script',
  members: [programMember],
  numbers: [
    {
      name: 'value',
      doc: 'how often',
      unit: 'count',
      of: ({ execChange }) => (execChange === undefined ? undefined : 1),
    },
  ],
}
