/** Batches of a queue, or of recordings, and what is missing in them. */

import { type Quark, type QuarkEvent, RecordingError } from 'quark-telemetry'
import type { Io } from './io.js'
import { cutShortText, missingText } from './report.js'

/** What batches are taken from. */
export type Batches = Pick<Quark, 'batches'> & Partial<Pick<Quark, 'capabilities' | 'close'>>

/**
 * All batches. A recording that was cut short is one up to its end, which is reported; what is missing in a recording that
 * follows is reported when it begins.
 */
export async function* batchesOf(
  quark: Batches,
  io: Pick<Io, 'lose'>,
): AsyncGenerator<readonly QuarkEvent[], void, undefined> {
  let { capabilities } = quark
  for (;;) {
    try {
      for await (const batch of quark.batches()) {
        if (quark.capabilities !== undefined && quark.capabilities !== capabilities) {
          capabilities = quark.capabilities
          io.lose(missingText(capabilities))
        }
        yield batch
      }
      return
    } catch (error) {
      if (!(error instanceof RecordingError) || !error.isCutShort) throw error
      io.lose(cutShortText(error))
    }
  }
}
