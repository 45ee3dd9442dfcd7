/** The options of reports about one command. */

import { UsageError } from '../arguments.js'
import type { Option } from '../option.js'
import type { Settings } from '../settings.js'
import { fileName, oneOf } from '../values.js'
import type { ReportSettings } from './report-settings.js'

const FORMATS = ['text', 'markdown', 'json'] as const satisfies readonly ReportSettings['format'][]
/** Standard error: standard output is the command's. */
const TO_STANDARD_ERROR = ''
const ENVIRONMENT_BYTES = 64 << 10

function reportOf(settings: Settings): ReportSettings {
  settings.commandReport ??= {
    path: undefined,
    format: undefined,
    baseline: undefined,
    updatesBaseline: false,
    requiresComplete: false,
    trace: undefined,
  }
  return settings.commandReport
}

export const reportOptions: readonly Option[] = [
  {
    long: 'report',
    argument: 'FILE',
    withoutArgument: TO_STANDARD_ERROR,
    help: 'in place of events report at the end what the command did; quark-mon run is the same',
    more:
      'It switches connections, names and files on, and --usage. Without FILE the report goes to standard error. With -o ' +
      'the events are written as well, to that file.',
    set: (settings, value) => {
      reportOf(settings).path = value === TO_STANDARD_ERROR ? undefined : fileName(value)
    },
  },
  {
    long: 'report-format',
    argument: 'FORMAT',
    words: FORMATS,
    byDefault: 'markdown for FILE.md, json for FILE.json, else text',
    help: 'write the report as text, markdown or json',
    set: (settings, value) => void (reportOf(settings).format = oneOf(value, FORMATS)),
  },
  {
    long: 'baseline',
    argument: 'FILE',
    help: 'compare with what the command is known to do, and exit with 5 if it does something else',
    more: 'A file that does not exist is written.',
    set: (settings, value) => void (reportOf(settings).baseline = fileName(value)),
  },
  {
    long: 'update-baseline',
    help: 'with --baseline: add what is new to the file',
    set: (settings) => void (reportOf(settings).updatesBaseline = true),
  },
  {
    long: 'require-complete',
    help: 'exit with 6 if something may be missing in the report',
    set: (settings) => void (reportOf(settings).requiresComplete = true),
  },
  {
    long: 'trace',
    argument: 'FILE',
    help: 'write when which process ran, and what it did, as a trace for Perfetto and speedscope',
    set: (settings, value) => void (reportOf(settings).trace = fileName(value)),
  },
]

/**
 * Checks what a command line says about a report, and switches on what it needs.
 *
 * @throws {UsageError} when it contradicts itself
 */
export function checkReport({
  commandReport,
  command,
  replay,
  quark,
  benchmark,
  bufferGraph,
  summary,
}: Settings): void {
  if (commandReport === undefined) return
  if (command === undefined && replay === undefined) {
    throw new UsageError(
      'a report is about a command or a recording: write the command behind --, as in quark-mon run -- npm ci, or give --replay',
    )
  }
  if (commandReport.updatesBaseline && commandReport.baseline === undefined) {
    throw new UsageError('--update-baseline has no effect: give --baseline FILE too')
  }
  const other = benchmark
    ? '--benchmark'
    : bufferGraph !== undefined
      ? '--buffer-graph'
      : summary !== undefined
        ? '--summary'
        : undefined
  if (other !== undefined) throw new UsageError(`${other} cannot be used with a report: give one of them`)
  if (replay !== undefined) return
  quark.usage ??= true
  quark.sockets ??= true
  quark.dns ??= true
  quark.files ??= true
  quark.fileAccess ??= true
  quark.execChanges ??= true
  quark.maxEnvBytes ??= ENVIRONMENT_BYTES
}
