// A program's start and end are one event if it ran for less than 50 ms, else two. Run as root.
import { spawn } from 'node:child_process'
import { defaultAggregation, Quark } from 'quark-telemetry'

const SHORT_NS = 50e6
const isShort = (first, exit) => exit.timeNs - first.timeNs < SHORT_NS

// The first record of an event, another record of the same process, and when the second one joins.
const aggregation = defaultAggregation().set('fork', 'exit', isShort).set('exec', 'exit', isShort)

const quark = await Quark.open({ aggregation, signal: AbortSignal.timeout(10_000) })
const ours = new Set([spawn('true').pid, spawn('sleep', ['0.2']).pid])
for await (const event of quark) {
  if (event.kind !== 'process' || !ours.has(event.process.pid)) continue
  const { pid, comm } = event.process
  console.log(pid, comm, event.actions.join('+'))
  if (event.actions.includes('exit')) ours.delete(pid)
  if (ours.size === 0) break
}
await quark.close()
