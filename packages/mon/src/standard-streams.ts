/** The name - as a file: standard input and output. */

import { UsageError } from './arguments.js'
import type { Settings } from './settings.js'

/** How a person names standard input or output in place of a file. */
const DASH = '-'
const OUTPUT = '/dev/stdout'

/**
 * Where a recording comes from: a file, or the bytes of standard input.
 *
 * @throws {UsageError} when that is a terminal
 */
export function replaySource(replay: string): string | AsyncIterable<Uint8Array> {
  if (replay !== DASH) return replay
  if (process.stdin.isTTY)
    throw new UsageError('--replay=- reads standard input, which is a terminal: give a file, or use a pipe')
  return process.stdin
}

/**
 * Makes a recording go to standard output when that is wanted; events go there no more then.
 *
 * @throws {UsageError} when standard output is a terminal
 */
export function recordToOutput(settings: Settings): void {
  if (settings.quark.record !== DASH) return
  if (process.stdout.isTTY) {
    throw new UsageError(
      '--record=- writes to standard output, which is a terminal: give a file, or use a pipe',
    )
  }
  settings.quark.record = OUTPUT
  settings.output ??= '/dev/null'
}

/** Whether a run ended as nobody reads its recording any more, which is how `quark-mon --record - | …` may end. */
export function isReaderGone(error: unknown, settings: Settings): boolean {
  if (settings.quark.record !== OUTPUT || !(error instanceof Error)) return false
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EPIPE'
}
