/** What a process holds that opens and closes queues over and over, in its own thread and in workers. */
import { spawnSync } from 'node:child_process'

const CYCLES = new URL('../packages/telemetry/dist/testing/cycles.js', import.meta.url).pathname

function cycle(order) {
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', CYCLES, JSON.stringify(order)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`opening and closing ended with status ${status}`)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

export async function cycles({ quick }) {
  const rows = []
  for (const [backend, inWorkers] of [
    ['ebpf', false],
    ['procConnector', false],
    ['ebpf', true],
  ]) {
    const count = (inWorkers ? 60 : 300) / (quick ? 3 : 1)
    for (const line of cycle({ backend, cycles: count, every: count / 5, inWorkers })) {
      rows.push([
        inWorkers ? `${backend}, each in a worker that is terminated` : backend,
        line.cycle,
        (line.rssBytes / 1e6).toFixed(0),
        (line.heapBytes / 1e6).toFixed(1),
        line.mappings,
        line.namedMappings,
        line.descriptors,
      ])
    }
  }
  return {
    tables: [
      {
        title: 'what the process holds',
        columns: ['queues', 'cycles', 'RSS, MB', 'heap, MB', 'mappings', 'of files and maps', 'descriptors'],
        rows,
      },
    ],
    notes: [
      'Garbage is collected before each look. The engine warms up in the first cycles.',
      'Each worker that ended leaves three mappings of koffi: see docs/limits.md.',
    ],
    figures: [],
  }
}
