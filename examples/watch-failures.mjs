// Prints processes that end with an error or by a signal, for ten seconds or until two were seen. Run as root.
import { spawn } from 'node:child_process'
import { Quark, sanitise } from 'quark-telemetry'

const quark = await Quark.open({
  where: { event: 'process', failed: true },
  signal: AbortSignal.timeout(10_000),
})

// Something to see on a quiet machine.
spawn('sh', ['-c', 'exit 3'])
spawn('sh', ['-c', 'kill -TERM $$'])

let seen = 0
for await (const event of quark) {
  // Losses pass all filters.
  if (event.kind !== 'process') continue
  // A process that a signal ended has no exit code.
  const { pid, argv, exe, exitCode, exitSignal, durationNs } = event.process
  const how = exitSignal === undefined ? `exit code ${exitCode}` : `signal ${exitSignal}`
  const life = durationNs === undefined ? '' : ` after ${(Number(durationNs) / 1e6).toFixed(1)} ms`
  // Other people chose these words: they may hold escape sequences.
  console.log(`${pid} ended with ${how}${life}: ${sanitise(argv?.join(' ') ?? exe ?? '?')}`)
  seen += 1
  if (seen === 2) break
}
await quark.close()
