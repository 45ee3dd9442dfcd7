// What reading costs, of this checkout and of another one, in turns within one run.
//   node bench/reading.mjs [--rounds=5] [--quick] [--other=PATH | --commit=89ba073] [--only=count,json,ecs,rates,start,latency]
// Prints a table with ratios; a whole run is written to bench/reading.md.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { alone } from './alone.mjs'
import { checkout, commitOf } from './checkout.mjs'
import { median, quantile, rotated, rssMbOf } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const OUTPUTS = { count: ['-M'], json: ['--json'], ecs: ['--ecs'] }
const NAMES = { count: 'counting (-M)', json: 'JSON', ecs: 'ECS' }
const FOREVER = 1e9
/** The snapshot is written and garbage of the start is gone. */
const SETTLE_MS = 1500
/** Longer than records are held. */
const DRAIN_MS = 1500
/** By then ended processes are forgotten, and memory that is not needed any more is given back. */
const QUIET_MS = 8000
const RATES = [
  { rate: 50, pauseMs: 19.4 },
  { rate: 400, pauseMs: 2 },
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    other: { type: 'string' },
    commit: { type: 'string', default: '89ba073' },
    only: { type: 'string' },
  },
})
const { quick } = values
const only = values.only?.split(',')
const wants = (part) => only === undefined || only.includes(part)
const rounds = quick ? 1 : Number(values.rounds)
const warmMs = quick ? 3000 : 8000
const stormMs = quick ? 2000 : 5000
const rateMs = quick ? 4000 : 8000
const starts = quick ? 3 : 6
const latencyCount = quick ? 200 : 600

const builds = [
  { name: 'before', path: values.other === undefined ? checkout(values.commit) : resolve(values.other) },
  { name: 'after', path: fileURLToPath(new URL('..', import.meta.url)) },
]
const commandOf = ({ path }) => join(path, 'packages/mon/bin/quark-mon.cjs')

/** The library of a build: its package once had another name. */
function moduleOf({ path }) {
  const [name] = ['telemetry', 'quark'].filter((name) => existsSync(join(path, 'packages', name)))
  return join(path, 'packages', name, 'dist/index.js')
}

const directory = makeDirectory()
const marker = writeTrue(directory)
const storm = writeProgram(
  directory,
  'storm',
  spawnProgram({ count: FOREVER, argv: [marker, 'an', 'argument'] }),
)

/** CPU time and switches of all threads of a process so far. */
function usageOf(pid) {
  const usage = { cpuMs: 0, switches: 0 }
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    let texts
    try {
      texts = ['schedstat', 'status'].map((name) =>
        readFileSync(`/proc/${pid}/task/${tid}/${name}`, 'latin1'),
      )
    } catch {
      continue
    }
    usage.cpuMs += Number(texts[0].split(' ')[0]) / 1e6
    usage.switches += Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(texts[1])[1])
  }
  return usage
}

/** Processes and threads that this machine has made so far. */
function forks() {
  return Number(/^processes (\d+)/m.exec(readFileSync('/proc/stat', 'latin1'))[1])
}

async function startAgent(build, args) {
  const nothing = openSync('/dev/null', 'w')
  const child = spawn(process.execPath, [commandOf(build), ...args], {
    stdio: ['ignore', nothing, nothing],
  })
  closeSync(nothing)
  const ended = once(child, 'close')
  await sleep(SETTLE_MS)
  if (child.exitCode !== null) throw new Error(`quark-mon of ${build.name} ended with ${child.exitCode}`)
  return {
    pid: child.pid,
    async stop() {
      child.kill('SIGINT')
      await ended
    },
  }
}

/** Runs a program until the function that it returns is called. */
function startLoad(path) {
  const child = spawn(path, [], { stdio: 'ignore', env: {} })
  const ended = once(child, 'exit')
  return async () => {
    child.kill('SIGKILL')
    await ended
  }
}

/** What an agent takes in a while, per process that the machine makes. */
async function during(pid, ms) {
  const [before, forksBefore, startMs] = [usageOf(pid), forks(), performance.now()]
  await sleep(ms)
  const [after, forksAfter] = [usageOf(pid), forks()]
  const seconds = (performance.now() - startMs) / 1000
  const processes = forksAfter - forksBefore
  return {
    rate: processes / seconds,
    cpuMs: ((after.cpuMs - before.cpuMs) / processes) * 1000,
    switches: ((after.switches - before.switches) / processes) * 1000,
    switchesPerSecond: (after.switches - before.switches) / seconds,
    cpuShare: (after.cpuMs - before.cpuMs) / seconds / 1000,
  }
}

async function flatOut(build, output) {
  const agent = await startAgent(build, OUTPUTS[output])
  try {
    const stop = startLoad(storm)
    await sleep(warmMs)
    const { cpuMs, switches, rate } = await during(agent.pid, stormMs)
    await stop()
    const name = NAMES[output]
    const result = {
      [`CPU ms per 1,000 processes, ${name}`]: cpuMs,
      [`switches per 1,000 processes, ${name}`]: switches,
      [`(processes per second meanwhile, ${name})`]: rate,
    }
    await sleep(DRAIN_MS)
    result[`RSS 1.5 s after the storm, ${name}, MB`] = rssMbOf(agent.pid).now
    if (output !== 'json') return result
    await sleep(QUIET_MS)
    result[`RSS 10 s after the storm, ${name}, MB`] = rssMbOf(agent.pid).now
    result[`RSS at most, ${name}, MB`] = rssMbOf(agent.pid).peak
    return result
  } finally {
    await agent.stop()
  }
}

async function atRates(build) {
  const result = {}
  for (const { rate, pauseMs } of RATES) {
    const load = writeProgram(
      directory,
      `paced-${rate}`,
      spawnProgram({ count: FOREVER, argv: [marker], pauseMs }),
    )
    const agent = await startAgent(build, OUTPUTS.json)
    try {
      const stop = startLoad(load)
      await sleep(warmMs / 2)
      const { switchesPerSecond, cpuShare, rate: reached } = await during(agent.pid, rateMs)
      await stop()
      result[`switches per second at ${rate} processes a second`] = switchesPerSecond
      result[`CPU % at ${rate} processes a second, JSON`] = cpuShare * 100
      result[`(processes per second meanwhile, at ${rate})`] = reached
    } finally {
      await agent.stop()
    }
  }
  return result
}

/** ms from the start of quark-mon to its first event. */
async function firstLine(build) {
  const startedMs = performance.now()
  const agent = spawn(process.execPath, [commandOf(build), '--json', '-q'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(agent, 'close')
  let text = ''
  while (!/"process":/.test(text)) [text] = await once(agent.stdout.setEncoding('utf8'), 'data')
  const ms = performance.now() - startedMs
  agent.stdout.resume()
  agent.kill('SIGINT')
  await ended
  return ms
}

async function start(build) {
  const ms = []
  for (let i = 0; i < starts; i++) ms.push(await firstLine(build))
  return { 'start to first line, ms': median(ms) }
}

async function latency(build) {
  const paced = writeProgram(directory, 'paced', spawnProgram({ count: FOREVER, argv: [marker], pauseMs: 5 }))
  const stop = startLoad(paced)
  const script = fileURLToPath(new URL('reading-latency.mjs', import.meta.url))
  const reader = spawn(process.execPath, [script, moduleOf(build), marker, String(latencyCount)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  reader.stdout.setEncoding('utf8').on('data', (piece) => (text += piece))
  await once(reader, 'close')
  await stop()
  const ms = JSON.parse(text)
  return {
    'latency p50, a process every 5 ms, ms': quantile(ms, 0.5),
    'latency p99, a process every 5 ms, ms': quantile(ms, 0.99),
  }
}

const PARTS = {
  count: (build) => flatOut(build, 'count'),
  json: (build) => flatOut(build, 'json'),
  ecs: (build) => flatOut(build, 'ecs'),
  rates: atRates,
  start,
  latency,
}

const measured = commitOf()
await alone()
/** By figure, the values of each round. */
const figures = new Map()
for (let round = 0; round < rounds; round++) {
  for (const [part, measure] of Object.entries(PARTS)) {
    if (!wants(part)) continue
    for (const build of rotated(builds, round)) {
      for (const [figure, value] of Object.entries(await measure(build))) {
        const row = figures.get(figure) ?? { before: [], after: [] }
        row[build.name].push(value)
        if (only !== undefined || quick) console.error(`${build.name}: ${figure}: ${value.toFixed(1)}`)
        figures.set(figure, row)
      }
    }
    console.error(`round ${round + 1} of ${rounds}: ${part}`)
  }
}

const AIMS = [
  [/^CPU ms .*counting/, (_, ratio) => ratio <= 0.3, '≤ 0.3 ×'],
  [/^CPU ms /, (_, ratio) => ratio <= 0.4, '≤ 0.4 ×'],
  [/^switches per 1,000/, (after) => after <= 25, '≤ 25'],
  [/^switches per second/, (after) => after <= 50, '≤ 50'],
  [/^(start|RSS)/, (_, ratio) => ratio <= 1.02, '≤ 1 ×'],
]

const [load] = loadavg()
const rows = [...figures].map(([figure, { before, after }]) => {
  const [a, b] = [median(before), median(after)]
  // Both of one round met the same machine.
  const ratios = before.map((value, round) => after[round] / value)
  const ratio = median(ratios)
  const [, isReached, aim] = AIMS.find(([pattern]) => pattern.test(figure)) ?? []
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const verdict = aim === undefined ? '' : `${aim} ${isReached(b, ratio) ? 'yes' : '**no**'}`
  return `| ${figure} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${ratio.toFixed(2)} | ${spread} | ${verdict} |`
})
const text = `# What reading costs

Written by \`node bench/reading.mjs\` on ${new Date().toISOString().slice(0, 10)}: commit ${values.other ?? commitOf(values.commit)} before, ${measured} after, in turns;
medians of ${rounds} rounds, and of their ratios. Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}. [What it means](../docs/performance.md#reading).
The load of the machine was ${load.toFixed(1)} at the end, the bench's own included.

| | before | after | ratio | from – to | aim |
|---|---|---|---|---|---|
${rows.join('\n')}
`
console.log(text)
if (only === undefined && !quick) writeFileSync(new URL('reading.md', import.meta.url), text)
