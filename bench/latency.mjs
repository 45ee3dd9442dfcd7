/** Time from the end of a process to the delivery of its event, with default options. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Quark } from 'quark'
import { Clock } from '../packages/quark/dist/clock.js'
import { quantile } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const LOADS = [
  { name: 'a process every 5 ms', pauseMs: 5, count: 1000, quickCount: 300 },
  { name: 'a process every 300 ms: the reader sleeps in between', pauseMs: 300, count: 40, quickCount: 10 },
]

/** Latencies in ms. */
async function measure(program, marker, count) {
  const clock = Clock.system()
  const quark = await Quark.open()
  const child = spawn(program, [], { stdio: 'ignore', env: {} })
  const ended = once(child, 'exit')
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
    const count = quick ? load.quickCount : load.count
    const image = spawnProgram({ count, argv: [marker], pauseMs: load.pauseMs })
    const latencies = await measure(writeProgram(directory, `paced-${index}`, image), marker, count)
    rows.push([load.name, ...[0.5, 0.99, 1].map((share) => quantile(latencies, share).toFixed(1))])
  }
  return {
    tables: [{ title: 'ms from exit to delivery', columns: ['load', 'p50', 'p99', 'most'], rows }],
    notes: [
      'A process whose exit was seen is delivered 20 ms after it at the earliest; one that goes on, when the ' +
        'hold time of its first record is over, 1 s on an idle machine.',
    ],
    figures: [{ name: 'exit to delivery, p50 / p99', value: `${rows[0][1]} / ${rows[0][2]} ms` }],
  }
}
