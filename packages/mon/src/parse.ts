import { readArguments, UsageError } from './arguments.js'
import { OPTIONS } from 'quark-telemetry'
import { TABLE } from './options.js'
import { defaultSettings, type Settings } from './settings.js'

export { UsageError }

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
  const table = { command: 'quark-mon', options, missing }
  const read = readArguments(args, table, defaultSettings())
  if (read.show !== 'result') return read
  checkTogether(read.settings)
  return { show: 'events', settings: read.settings }
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
