// Prints processes that end with an error or by a signal, for ten seconds or until two were seen. Run as root.
import { spawn } from 'node:child_process'
import { Quark, sanitise } from 'quark-telemetry'

const quark = await Quark.open({ signal: AbortSignal.timeout(10_000) })

// Something to see on a quiet machine.
spawn('sh', ['-c', 'exit 3'])
spawn('sh', ['-c', 'kill -TERM $$'])

let seen = 0
for await (const event of quark) {
  if (event.kind !== 'process' || !event.actions.includes('exit')) continue
  const { pid, argv, exe, exitCode, exitSignal, durationNs } = event.process
  // A process that a signal ended has no exit code.
  if (exitCode === 0) continue
  const how = exitSignal === undefined ? `exit code ${exitCode}` : `signal ${exitSignal}`
  const life = durationNs === undefined ? '' : ` after ${(Number(durationNs) / 1e6).toFixed(1)} ms`
  // Other people chose these words: they may hold escape sequences.
  console.log(`${pid} ended with ${how}${life}: ${sanitise(argv?.join(' ') ?? exe ?? '?')}`)
  seen += 1
  if (seen === 2) break
}
await quark.close()
