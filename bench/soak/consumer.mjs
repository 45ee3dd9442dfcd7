// A program that uses the library, with all events of processes: writes the number of lost records every second.
import { Quark } from '../../packages/telemetry/dist/index.js'

const PERIOD_MS = 1000

const end = new AbortController()
process.once('SIGTERM', () => end.abort())
const quark = await Quark.open({ threads: true, failedExecs: true, signal: end.signal })
const report = () => process.stdout.write(`${quark.stats().lost}\n`)
report()
setInterval(report, PERIOD_MS).unref()

let argvBytes = 0
for await (const event of quark) {
  if (event.kind !== 'process') continue
  for (const argument of event.process.argv ?? []) argvBytes += argument.length
}
await quark.close()
process.stderr.write(`${argvBytes} characters of arguments were read\n`)
