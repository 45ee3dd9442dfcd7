import { readArguments, UsageError } from './arguments.js'
import { OPTIONS } from 'quark-telemetry'
import { TABLE } from './options.js'
import { checkReport } from './run/report-options.js'
import { checkRun } from './run/options.js'
import { isRotated } from './rotation.js'
import { defaultSettings, type Settings } from './settings.js'

export { UsageError }

/** What may follow the name of the command, beside options. */
export const WORDS: readonly string[] = ['run', 'doctor', 'asciicast', 'rules', 'completions', 'help']

/** A parsed command line. */
export type Invocation =
  | { readonly show: 'help' | 'version' }
  | { readonly show: 'events'; readonly settings: Settings }

/**
 * Reads the arguments of a command line.
 *
 * @throws {UsageError} naming the option, the value, and what to do
 */
export function parseCommandLine(args: readonly string[], { options, missing } = TABLE): Invocation {
  const table = { command: 'quark-mon', options, missing, words: WORDS, takesCommand: true }
  const read = readArguments(args, table, defaultSettings())
  if (read.show !== 'result') return read
  const { settings } = read
  settings.command = read.command
  if (settings.ecs.form !== undefined) settings.format = 'ecs'
  checkReport(settings)
  checkRun(settings)
  checkTogether(settings)
  checkColour(settings)
  checkRotation(settings)
  return { show: 'events', settings }
}

function checkColour({ colour, format }: Settings): void {
  if (colour !== 'always' || format === 'text' || format === 'dump') return
  throw new UsageError(`--colour=always has no effect with --${format}, which has no colours: remove it`)
}

function checkTogether({ bufferGraph, quark }: Settings): void {
  const maxLength = quark.maxLength ?? OPTIONS.maxLength.default
  if (bufferGraph !== undefined && bufferGraph > maxLength) {
    throw new UsageError(
      `--buffer-graph cannot hold ${bufferGraph} records when --max-length is ${maxLength}: ` +
        `give --max-length ${bufferGraph} or more`,
    )
  }
}

function checkRotation({ rotation, output, dropPrivileges }: Settings): void {
  const { sizeBytes, ageMs, keep, totalBytes } = rotation
  if (!isRotated(rotation)) {
    if (keep === undefined) return
    throw new UsageError(
      '--rotate-keep has no effect: give --rotate-size, --rotate-age or --rotate-total too',
    )
  }
  const name =
    sizeBytes !== undefined ? '--rotate-size' : ageMs !== undefined ? '--rotate-age' : '--rotate-total'
  if (output === undefined) throw new UsageError(`${name} needs a file: give -o FILE`)
  if (dropPrivileges) {
    throw new UsageError(
      `${name} cannot be used with -D: without privileges files cannot be renamed ` +
        '(remove -D, or let logrotate rotate the file with copytruncate)',
    )
  }
  if (totalBytes !== undefined && sizeBytes !== undefined && sizeBytes > totalBytes) {
    throw new UsageError('--rotate-size cannot be more than --rotate-total: give a smaller one')
  }
}
