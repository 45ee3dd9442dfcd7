// Takes records as the kernel side wrote them: no order, no aggregation, no table. Run as root.
import { spawn } from 'node:child_process'
import { Quark } from 'quark-telemetry'

const quark = await Quark.open({ bypass: true, signal: AbortSignal.timeout(10_000) })
const child = spawn('sh', ['-c', 'true | true'])

const counts = {}
for await (const event of quark) {
  if (event.kind !== 'raw') continue
  counts[event.name] = (counts[event.name] ?? 0) + 1
  if (event.name !== 'exec' && event.name !== 'exit') continue
  // Decoding is up to the caller, field by field or all at once.
  const { pid, leaderExitCode, exe } = event.decode()
  if (pid !== child.pid) continue
  console.log(event.name, event.timeNs, `${event.bytes.length} bytes`, { pid, exe, leaderExitCode })
  if (event.name === 'exit') break
}
console.log(counts)
await quark.close()
