// Prints every program that starts, for five seconds. Run as root.
import { Quark } from 'quark-telemetry'

const quark = await Quark.open({ signal: AbortSignal.timeout(5_000) })
for await (const event of quark) {
  if (event.kind !== 'process' || !event.actions.includes('exec')) continue
  const { pid, ppid, argv, exitCode } = event.process
  console.log(event.actions.join('+'), pid, ppid, argv, exitCode)
}
console.log(`${quark.stats().lost} records lost`)
await quark.close()
