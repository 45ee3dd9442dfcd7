import type { Examination } from './examination.js'
import { judge } from './judge.js'
import { type ExamineOptions, readMachine } from './readings.js'

/**
 * Finds out what quark can learn on this machine: reads what may stand in the way, and opens every feature and
 * backend for a moment. Works without root too, and then says what it could not find out.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export async function examine(options: ExamineOptions = {}): Promise<Examination> {
  return judge(await readMachine(options))
}
