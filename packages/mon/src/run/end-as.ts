import { dieOf, exitNow } from 'quark-telemetry'
import type { Ending } from './wait-status.js'

/** What shells add to the number of the signal that ended a command. */
const SIGNALLED = 128

/** Ends this process as another one has ended: with its status, or by the same signal, without a core dump. */
export function endAs({ code, signal }: Ending): never {
  if (signal === null) exitNow(code ?? 0)
  dieOf(signal)
  exitNow(SIGNALLED + signal)
}
