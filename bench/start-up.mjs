/** Time from the start of quark-mon to its first events. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { QUARK_MON } from './agent.mjs'
import { median } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const AIM_MS = 250
/** A new process every so often, so that one begins soon after the programs are attached. */
const MARKER_PAUSE_MS = 4
const MARKERS = 2000
const STAGES = new URL('start-up-stages.mjs', import.meta.url).pathname

/**
 * Starts quark-mon while processes begin and end all the time.
 *
 * @returns ms from its start to its first line, to the start of the first process that it saw begin, and to the
 *   report of that one
 */
async function firstEvent(markers, marker) {
  const makers = spawn(markers, [], { stdio: 'ignore', env: {} })
  const startedMs = Date.now()
  const agent = spawn(process.execPath, [QUARK_MON, '--json', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(agent, 'close')
  let firstLineMs
  try {
    for await (const line of createInterface({ input: agent.stdout })) {
      const nowMs = Date.now() - startedMs
      const { kind, actions, process: subject } = JSON.parse(line)
      // The line before all events comes earlier.
      if (kind === 'start') continue
      firstLineMs ??= nowMs
      if (subject?.exe !== marker || actions?.includes('fork') !== true) continue
      return { firstLineMs, seenMs: Date.parse(subject.startTime) - startedMs, reportedMs: nowMs }
    }
    throw new Error('quark-mon ended before it reported anything')
  } finally {
    agent.kill('SIGINT')
    makers.kill()
    agent.stdout.resume()
    await ended
  }
}

function bareNodeMs() {
  const startedMs = performance.now()
  execFileSync(process.execPath, ['-e', '0'])
  return performance.now() - startedMs
}

/** ms by stage of a process that opens a queue and nothing else. */
function stages() {
  const startedMs = Date.now()
  const { bootedMs, ...rest } = JSON.parse(execFileSync(process.execPath, [STAGES], { encoding: 'utf8' }))
  return { boot: bootedMs - startedMs, ...rest }
}

export async function startUp({ quick }) {
  const directory = makeDirectory()
  const marker = writeTrue(directory)
  const program = spawnProgram({ count: MARKERS, argv: [marker], pauseMs: MARKER_PAUSE_MS })
  const markers = writeProgram(directory, 'markers', program)
  const samples = []
  for (let round = 0; round < (quick ? 5 : 15); round++) {
    samples.push({ bareMs: bareNodeMs(), ...(await firstEvent(markers, marker)), ...stages() })
  }
  const row = (title, of) => {
    const values = samples.map(of)
    return [title, median(values).toFixed(0), Math.min(...values).toFixed(0)]
  }
  const seenMs = median(samples.map((sample) => sample.seenMs))
  const reportedMs = median(samples.map((sample) => sample.reportedMs))
  return {
    tables: [
      {
        title: `ms, ${samples.length} starts`,
        columns: ['', 'median', 'best'],
        rows: [
          row('`node -e 0`, start to end', (sample) => sample.bareMs),
          row('quark-mon: start to its first line, a process found in /proc', (s) => s.firstLineMs),
          row('quark-mon: start to the beginning of the first process that it saw begin', (s) => s.seenMs),
          row('quark-mon: start to the report of that process', (s) => s.reportedMs),
          row('own program: start to its first line', (sample) => sample.boot),
          row("own program: import('quark-telemetry')", (sample) => sample.importMs),
          row('own program: Quark.open()', (sample) => sample.openMs),
          row('own program: Quark.open() again', (sample) => sample.openAgainMs),
        ],
      },
    ],
    notes: [
      `A process begins about every ${MARKER_PAUSE_MS} ms, and ends at once.`,
      'A process that ended is reported after 20 ms, which are needed for order, or when older ones are due.',
    ],
    figures: [
      {
        name: 'start of quark-mon to the event of a process that began',
        value: `${reportedMs.toFixed(0)} ms (nothing is missed after ${seenMs.toFixed(0)} ms)`,
        aim: `within ${AIM_MS} ms`,
        isReached: reportedMs <= AIM_MS,
      },
    ],
  }
}
