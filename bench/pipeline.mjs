/** Records per second through ordering, aggregation and the process table, on the recording of a storm. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Quark } from 'quark-telemetry'
import { runParallel } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const AIM_PER_SECOND = 1.5e6
const PROCESSES = 20_000
const PARALLEL = 2
const REPLAY = new URL('pipeline-replay.mjs', import.meta.url).pathname

/** Records a storm of processes, 3 records each. */
async function recordStorm(directory) {
  const path = join(directory, 'recording')
  const program = spawnProgram({ count: PROCESSES / PARALLEL, argv: [writeTrue(directory), 'argument'] })
  const storm = writeProgram(directory, 'storm', program)
  const ending = new AbortController()
  const quark = await Quark.open({ record: path, signal: ending.signal })
  try {
    const ended = runParallel(storm, PARALLEL)
      .then(() => sleep(200))
      .finally(() => ending.abort())
    for await (const batch of quark.batches()) void batch
    await ended
  } finally {
    await quark.close()
  }
  const { lost } = quark.stats()
  if (lost > 0) throw new Error(`Cannot replay a recording with gaps: ${lost} records were lost`)
  return path
}

export async function pipeline({ quick }) {
  const directory = makeDirectory()
  const path = await recordStorm(directory)
  // A process of its own, so that the heap holds nothing else and the code is compiled for this alone.
  const args = ['--expose-gc', ...process.execArgv, REPLAY, path, String(quick ? 10 : 40)]
  const { records, recordBytes, rows } = JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8' }),
  )
  const [none] = rows
  const rate = (perSecond) => `${(perSecond / 1e6).toFixed(2)} M`
  return {
    tables: [
      {
        title: `${records} records of ${recordBytes.toFixed(0)} bytes on average, replayed ${none.passes} times, records/s`,
        columns: [
          'work',
          'per CPU second',
          'median',
          'best',
          'first pass',
          'CPU ns/record',
          'events',
          'heap B/event',
        ],
        rows: rows.map((row) => [
          row.name,
          rate(row.perCpuSecond),
          rate(row.median),
          rate(row.best),
          rate(row.first),
          (1e9 / row.perCpuSecond).toFixed(0),
          row.events,
          row.heapBytesPerEvent?.toFixed(0) ?? '',
        ]),
      },
    ],
    notes: [
      'Records go in as they were drained from the ring, with the clock that they were drained at, hold time 1 s.',
      'Per CPU second counts all threads, those of the garbage collector too, and is not disturbed by other work of the machine; median and best are by the clock.',
      'Heap is what one event keeps alive while the consumer keeps it; text and objects in it are made when asked for.',
      `After all passes the heap had grown by ${none.leakedBytesPerEvent.toFixed(2)} bytes per event.`,
    ],
    figures: [
      {
        name: 'records through ordering, aggregation and table',
        value: `${rate(none.perCpuSecond)} per CPU second (${rate(none.best)} by the clock at best)`,
        aim: 'over 1.5 M/s',
        isReached: none.perCpuSecond > AIM_PER_SECOND,
      },
    ],
  }
}
