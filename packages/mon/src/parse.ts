import { readArguments, UsageError } from './arguments.js'
import { missingOptions, options } from './options.js'
import { defaultSettings, type Settings } from './settings.js'

export { UsageError }

/** What a command line asks for. */
export type Invocation =
  | { readonly show: 'help' | 'version' }
  | { readonly show: 'events'; readonly settings: Settings }

const DEFAULT_MAX_LENGTH = 10_000

/**
 * Reads the arguments of a command line.
 *
 * @throws {UsageError} naming the option, the value, and what to do
 */
export function parseCommandLine(args: readonly string[]): Invocation {
  const table = { command: 'quark-mon', options, missing: missingOptions }
  const read = readArguments(args, table, defaultSettings())
  if (read.show !== 'result') return read
  checkTogether(read.settings)
  return { show: 'events', settings: read.settings }
}

function checkTogether({ bufferGraph, quark }: Settings): void {
  const maxLength = quark.maxLength ?? DEFAULT_MAX_LENGTH
  if (bufferGraph !== undefined && bufferGraph > maxLength) {
    throw new UsageError(
      `--buffer-graph cannot hold ${bufferGraph} records when --max-length is ${maxLength}: ` +
        `give --max-length ${bufferGraph} or more`,
    )
  }
}
