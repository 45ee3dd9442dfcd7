/** Time from the end of a process to the delivery of its event, with default options. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Quark } from 'quark-telemetry'
import { Clock } from '../packages/telemetry/dist/pipeline/clock.js'
import { quantile } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const LOADS = [
  { name: 'a process every 5 ms', options: {}, pauseMs: 5, count: 1000, quickCount: 300 },
  {
    name: 'a process every 300 ms: the reader sleeps in between',
    options: {},
    pauseMs: 300,
    count: 40,
    quickCount: 10,
  },
  {
    name: 'a process every 5 ms, hold time 100 ms',
    options: { holdMs: 100 },
    pauseMs: 5,
    count: 1000,
    quickCount: 300,
  },
]

const FOREVER = 1e9

/** Latencies in ms. */
async function measure(program, marker, { options, count }) {
  const clock = Clock.system()
  // If its start were seen, it would be held for the hold time, as it goes on, and delay all others.
  const child = spawn(program, [], { stdio: 'ignore', env: {} })
  const ended = once(child, 'exit')
  const quark = await Quark.open(options)
  const latencies = []
  try {
    for await (const batch of quark.batches()) {
      const nowNs = clock.epochNs(clock.bootNowNs())
      for (const event of batch) {
        if (event.process?.exe !== marker || event.process.exitTimeNs === undefined) continue
        latencies.push(Number(nowNs - event.process.exitTimeNs) / 1e6)
      }
      if (latencies.length >= count) break
    }
  } finally {
    child.kill()
    await quark.close()
  }
  await ended
  return latencies
}

export async function latency({ quick }) {
  const directory = makeDirectory()
  const marker = writeTrue(directory)
  const rows = []
  for (const [index, load] of LOADS.entries()) {
    const { options, pauseMs } = load
    const count = quick ? load.quickCount : load.count
    const program = writeProgram(
      directory,
      `paced-${index}`,
      spawnProgram({ count: FOREVER, argv: [marker], pauseMs }),
    )
    const latencies = await measure(program, marker, { options, count })
    rows.push([load.name, ...[0.5, 0.99, 1].map((share) => quantile(latencies, share).toFixed(1))])
  }
  return {
    tables: [{ title: 'ms from exit to delivery', columns: ['load', 'p50', 'p99', 'most'], rows }],
    notes: [
      'Events come in order. A process that ended is delivered 20 ms later, but not before older ones, and one ' +
        'that starts and goes on is held for the hold time, 1 s by default: it delays those behind it.',
    ],
    figures: [{ name: 'exit to delivery, p50 / p99', value: `${rows[0][1]} / ${rows[0][2]} ms` }],
  }
}
