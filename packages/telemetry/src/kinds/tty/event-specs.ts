/** The declaration of the event of terminals. */

import type { EventSpec, FieldSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { processColumns } from '../../process/text.js'
import { ORIGINS, type TtyEvent } from './events.js'
import { type TtySummary, ttySummary } from './summary.js'

/** Lines of longer texts may be as long as that. */
const SHORT_TEXT = 2048

/** The terminal is the one that controls the process. */
function isControlling({ process, ttyMajor, ttyMinor }: TtyEvent): boolean {
  return process?.ttyMajor === ttyMajor && process.ttyMinor === ttyMinor
}

function flags(name: string, doc: string): FieldSpec<TtyEvent> {
  return {
    type: 'number',
    doc: `${doc} (termios(3))`,
    isAlwaysKnown: true,
    dump: `TTY.mode ${name}`,
    ecs: `quark.tty.${name}`,
  }
}

const size: FieldSpec<TtyEvent> = { type: 'number', max: 65_535, doc: '' }

const ttySpec: EventSpec<TtyEvent, TtySummary> = {
  kind: 'tty',
  doc: 'A process wrote to a terminal, or to the other side of one that shows it',
  madeWith: 'tty',
  subject: ({ pid }) => pid,
  repeats: ({ text }) => (text?.length ?? 0) < SHORT_TEXT,
  fields: {
    origin: {
      type: 'word',
      words: ORIGINS,
      doc: '`typed` was written to the other side of a pseudo-terminal that echoes it, so that it is shown',
      isAlwaysKnown: true,
      dump: 'TTY origin',
      ecs: ['quark.tty.origin', { path: 'process.io.type', value: () => 'tty', doc: '`tty`' }],
    },
    pid: {
      type: 'pid',
      doc: 'of the process that wrote',
      isAlwaysKnown: true,
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    terminal: {
      type: 'string',
      doc: 'name of the terminal below /dev: `pts/3`; absent of devices of other sorts',
      dump: 'TTY name',
      ecs: 'quark.tty.name',
    },
    ttyMajor: {
      type: 'number',
      doc: 'major of its device; of a pseudo-terminal, that of the side at which programs run',
      isAlwaysKnown: true,
      dump: 'TTY major',
      ecs: 'quark.tty.char_device.major',
    },
    ttyMinor: {
      type: 'number',
      doc: 'minor of its device',
      isAlwaysKnown: true,
      dump: 'TTY minor',
      ecs: 'quark.tty.char_device.minor',
    },
    devpts: {
      type: 'number',
      doc: 'device number of the devpts that it is in, as the kernel has it: containers have their own, in which numbers are the same',
      dump: 'TTY.id devpts',
      ecs: 'quark.tty.devpts',
    },
    driver: {
      type: 'string',
      doc: 'name of its driver, as in /proc/tty/drivers: `pty_slave`, `serial`',
      dump: 'TTY.id driver',
      ecs: 'quark.tty.driver',
    },
    columns: {
      ...size,
      doc: 'columns of its window; absent when it has no size',
      dump: 'TTY cols',
      ecs: [
        'quark.tty.columns',
        {
          path: 'process.tty.columns',
          value: (event) => (isControlling(event) ? event.columns : undefined),
          doc: 'if it is the controlling terminal',
        },
      ],
    },
    rows: {
      ...size,
      doc: 'rows of its window',
      dump: 'TTY rows',
      ecs: [
        'quark.tty.rows',
        {
          path: 'process.tty.rows',
          value: (event) => (isControlling(event) ? event.rows : undefined),
          doc: 'if it is the controlling terminal',
        },
      ],
    },
    text: {
      type: 'string',
      doc: 'what was written; bytes that are no UTF-8 are U+FFFD; absent when it could not be read',
      mayHoldSecrets: true,
      dump: 'TTY.data data',
      ecs: 'process.io.text',
    },
    data: {
      type: 'bytes',
      doc: 'the bytes, if they are no UTF-8',
      mayHoldSecrets: true,
      ecs: 'quark.tty.data',
    },
    writtenBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'that were written, whether or not they are in `text`',
      isAlwaysKnown: true,
      dump: 'TTY.data written',
      ecs: [
        'quark.tty.written_bytes',
        {
          path: 'process.io.total_bytes_captured',
          value: ({ writtenBytes, missingBytes }) => writtenBytes - missingBytes,
          doc: 'those that are in the text',
        },
      ],
    },
    missingBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'those that are not there, at the end',
      isAlwaysKnown: true,
      dump: 'TTY truncated',
      ecs: [
        'process.io.total_bytes_skipped',
        {
          path: 'process.io.bytes_skipped.offset',
          value: ({ writtenBytes, missingBytes }) =>
            missingBytes === 0 ? undefined : writtenBytes - missingBytes,
          doc: 'bytes before them',
        },
        {
          path: 'process.io.bytes_skipped.length',
          value: ({ missingBytes }) => (missingBytes === 0 ? undefined : missingBytes),
        },
      ],
    },
    writes: {
      type: 'number',
      doc: 'how many calls wrote it',
      isAlwaysKnown: true,
      dump: 'TTY.data writes',
      ecs: 'quark.tty.writes',
    },
    spanNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from the first of them to the last',
      isAlwaysKnown: true,
      dump: 'TTY.data span',
      ecs: 'quark.tty.span',
    },
    inputFlags: flags('iflag', 'how it changes input'),
    outputFlags: flags('oflag', 'how it changes output'),
    controlFlags: flags('cflag', 'how its line works'),
    localFlags: flags('lflag', 'whether it shows what is typed, and more'),
    process: { type: 'object', object: processObject, doc: 'the process that wrote' },
  },
  text: {
    uid: processColumns.uid,
    parentPid: processColumns.parentPid,
    parentName: processColumns.parentName,
    sentence: ({ process, terminal, ttyMajor, ttyMinor }) => {
      const where = terminal ?? `tty ${ttyMajor}:${ttyMinor}`
      return process?.comm === undefined ? where : `${process.comm} ${where}`
    },
    word: ({ origin }) => (origin === 'typed' ? 'echo' : 'tty'),
    words: {
      tty: { doc: 'a process wrote to a terminal (`--tty`)', tone: 'quiet' },
      echo: { doc: 'something was typed at a terminal that shows it', tone: 'quiet' },
    },
    notes: [
      {
        label: '',
        type: 'string',
        value: ({ text }) => text,
        doc: 'what was written to a terminal',
        example: String.raw`'\u001b[1mhello\u001b[0m\r\n'`,
      },
      {
        label: '',
        end: ' missing',
        type: 'size',
        value: ({ missingBytes }) => (missingBytes === 0 ? undefined : missingBytes),
        tone: 'wrong',
        doc: 'bytes of it that are not there',
        example: '512B missing',
      },
    ],
  },
  summary: ttySummary,
  dump: {
    title: () => 'TTY',
    lines: [
      'TTY name major minor cols rows truncated origin',
      'TTY.mode',
      'TTY.id',
      'TTY.data written writes span data',
    ],
  },
  ecs: {
    action: ({ origin }) => (origin === 'typed' ? 'text_input' : 'text_output'),
    category: ['process'],
    type: ['info'],
    dataset: 'quark.tty',
    paths: ['process.io', 'process.tty', 'quark.tty'],
    rows: [
      { what: 'output of a terminal', action: '`text_output`', type: '`info`' },
      { what: 'what is typed where it is shown', action: '`text_input`', type: '`info`' },
    ],
  },
}

export const ttyEvents = [ttySpec] as const
