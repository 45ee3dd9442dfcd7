// A long run: does quark stay as it is, in memory, descriptors and mappings?
//   node bench/soak.mjs [minutes, 60] [--agent-options='…'] [--note='…']
// Watches quark-mon, and a program that uses the library, under processes of everyday kind, 50 and 400 a second in turns,
// with a flood by an ordinary user between. Each flood comes four times, the first time while tables and caches fill up. Writes samples and a plot to bench/soak/<date>-<minutes>min, prints whether they are
// flat, and ends with 1 if not. Between floods the load is about one CPU. What else the machine did meanwhile belongs in a note.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { lostOf, QUARK_MON } from './agent.mjs'
import { alone } from './alone.mjs'
import { FLOODS, prepareFloods } from './attack/floods.mjs'
import { commitOf } from './checkout.mjs'
import { cpuMsOf, rssMbOf } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'
import { plot } from './soak/plot.mjs'
import { LIMITS, WARM_UP_SHARE, verdicts } from './soak/verdict.mjs'

const SOAK_FLOODS = FLOODS.filter(({ copies }) => copies !== 0)
const SAMPLE_MS = 10_000
const START_MS = 5000
const END_LIMIT_MS = 60_000
/** A step is one everyday load of each rate and one flood. */
const FLOOD_SHARE = 1 / 5
/** Rounds of all floods: the first is what does not count. Else the fitted line would be that of their order. */
const ROUNDS = 1 / WARM_UP_SHARE
const RATES = [50, 400]
/** Of the processes, those that are single programs; the others are pipes of a shell, three processes each. */
const SINGLE_SHARE = 0.6
const PIPE_PROCESSES = 3

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'agent-options': { type: 'string', default: '' },
    note: { type: 'string', default: [], multiple: true },
  },
})
const commit = commitOf()
const minutes = Number(positionals[0] ?? 60)
if (!(minutes > 0)) throw new Error(`Cannot run for ${positionals[0]} minutes`)
if (process.getuid?.() !== 0) throw new Error('The agent watches the whole machine: run this as root')

await alone()
const directory = makeDirectory()
const startFlood = prepareFloods(directory)
/** Processes that would outlive this one. */
const children = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const local = (path) => fileURLToPath(new URL(path, import.meta.url))
const watched = { command: startCommand(), consumer: startConsumer() }
const names = Object.keys(watched)
await sleep(START_MS)

const loads = RATES.map((rate) => ({ rate, programs: loadPrograms(rate) }))
const samples = []
const bands = []
const startedMs = performance.now()
const secondsNow = () => (performance.now() - startedMs) / 1000
const endMs = startedMs + minutes * 60_000
const stepMs = (minutes * 60_000) / SOAK_FLOODS.length / ROUNDS
const floodMs = stepMs * FLOOD_SHARE
const everydayMs = (stepMs - floodMs) / loads.length
let phase = 'start'

sample()
const sampler = setInterval(sample, SAMPLE_MS)
for (let step = 0; performance.now() < endMs && !hasEnded(); step++) {
  for (const { rate, programs } of loads) await everyday(rate, programs)
  if (performance.now() < endMs) await flood(SOAK_FLOODS[step % SOAK_FLOODS.length])
}
clearInterval(sampler)
phase = 'end'
if (!hasEnded()) sample()

const died = names.filter((name) => watched[name].hasEnded())
const ends = await Promise.all(names.map((name) => watched[name].stop()))
report()

/** Starts a watched process, whose heap comes through descriptor 3. */
function start(args, stdout) {
  const child = spawn(process.execPath, ['--import', local('soak/report-heap.mjs'), ...args], {
    stdio: ['ignore', stdout, 'pipe', 'pipe'],
  })
  children.add(child)
  const state = { child, heapBytes: Number.NaN, lost: 0, errors: '', cpuMs: 0, cpuAtMs: performance.now() }
  child.stderr.setEncoding('utf8').on('data', (text) => {
    state.errors += text
  })
  createInterface({ input: child.stdio[3] }).on('line', (line) => {
    state.heapBytes = Number(line)
  })
  state.hasEnded = () => child.exitCode !== null || child.signalCode !== null
  state.stop = async () => {
    const stopMs = performance.now()
    const killer = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS)
    if (!state.hasEnded()) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    clearTimeout(killer)
    children.delete(child)
    return performance.now() - stopMs
  }
  return state
}

/** quark-mon writes JSON to a pipe, whose reader keeps what was lost. */
function startCommand() {
  const options = values['agent-options'].split(' ').filter((option) => option !== '')
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const stdin = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const stdout = openSync(pipe, constants.O_WRONLY)
  unlinkSync(pipe)
  const lines = ['-a', '--line-buffered', '^{"kind":"lost"']
  const reader = spawn('grep', lines, { stdio: [stdin, 'pipe', 'inherit'] })
  children.add(reader)
  closeSync(stdin)
  const state = start([QUARK_MON, '--json', ...options], stdout)
  closeSync(stdout)
  createInterface({ input: reader.stdout }).on('line', (line) => {
    state.lost += Number(/"count":"?(\d+)/.exec(line)?.[1] ?? 0)
  })
  return state
}

function startConsumer() {
  const state = start([local('soak/consumer.mjs')], 'pipe')
  createInterface({ input: state.child.stdout }).on('line', (line) => {
    state.lost = Number(line)
  })
  return state
}

function hasEnded() {
  return names.some((name) => watched[name].hasEnded())
}

function sample() {
  if (hasEnded()) return
  const row = { seconds: Math.round(secondsNow()), phase }
  for (const name of names) {
    const state = watched[name]
    const { pid } = state.child
    const [cpuMs, nowMs] = [cpuMsOf(pid), performance.now()]
    const rss = rssMbOf(pid)
    row[name] = {
      rssMb: rss.now,
      rssMbPeak: rss.peak,
      heapMb: state.heapBytes / 2 ** 20,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      mappings: readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n').length - 1,
      lost: state.lost,
      cpuPercent: (100 * (cpuMs - state.cpuMs)) / (nowMs - state.cpuAtMs),
    }
    // The start is not part of the first interval.
    if (samples.length === 0) row[name].cpuPercent = Number.NaN
    Object.assign(state, { cpuMs, cpuAtMs: nowMs })
  }
  samples.push(row)
}

/** Programs that start others one after the other, with pauses. */
function loadPrograms(rate) {
  const count = 1e9
  const single = spawnProgram({
    count,
    argv: [writeTrue(directory), 'an', 'argument'],
    pauseMs: Math.round(1000 / (rate * SINGLE_SHARE)),
  })
  const piped = spawnProgram({
    count,
    argv: ['/bin/sh', '-c', '/bin/echo a line | /bin/cat'],
    pauseMs: Math.round((1000 * PIPE_PROCESSES) / (rate * (1 - SINGLE_SHARE))),
  })
  return [writeProgram(directory, `single-${rate}`, single), writeProgram(directory, `piped-${rate}`, piped)]
}

async function everyday(rate, programs) {
  phase = `${rate}/s`
  const running = programs.map((program) => spawn(program, [], { stdio: 'ignore', env: {} }))
  for (const child of running) children.add(child)
  await sleep(Math.max(0, Math.min(everydayMs, endMs - performance.now())))
  for (const child of running) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    children.delete(child)
  }
}

async function flood(kind) {
  phase = kind.name
  const start = secondsNow()
  const running = startFlood(kind)
  await sleep(floodMs)
  await running.stop()
  bands.push({ start, end: secondsNow(), name: kind.name })
}

function report() {
  const results = names.flatMap((name) => verdicts(name, samples))
  const commandLost = lostOf(watched.command.errors)
  const lost = { command: commandLost, consumer: watched.consumer.lost }
  const notes = [
    ...values.note,
    ...results.map(({ text }) => text),
    ...names.map((name, i) =>
      died.includes(name)
        ? `DIED: ${name} ended by itself: ${watched[name].errors.trim().split('\n').at(-1)?.slice(0, 200)}`
        : `${name}: ${lost[name]} lost; ended ${Math.round(ends[i])} ms after SIGTERM`,
    ),
    `Flat: after the first ${WARM_UP_SHARE * 100} % of the run, the line of Theil and Sen grows by no more than the limit; limits: ` +
      Object.entries(LIMITS)
        .map(([column, { share, growth }]) => `${column} ${growth} or ${share * 100} % of the median`)
        .join(', '),
  ]
  const isGood = died.length === 0 && results.every(({ isFlat }) => isFlat)
  notes.push(isGood ? 'Verdict: flat.' : 'Verdict: NOT FLAT.')
  const base = local(`soak/${new Date().toISOString().slice(0, 10)}-${minutes}min`)
  writeFileSync(`${base}.csv`, csv())
  writeFileSync(
    `${base}.svg`,
    plot({
      title: `${minutes} minutes of everyday load and floods, commit ${commit}, Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}`,
      panels: [
        { title: 'resident memory, MB', column: 'rssMb' },
        { title: 'heap in use, MB', column: 'heapMb' },
        { title: 'descriptors', column: 'descriptors' },
        { title: 'mappings', column: 'mappings' },
        { title: 'records lost so far', column: 'lost' },
        { title: 'CPU, %', column: 'cpuPercent' },
      ],
      names,
      samples,
      bands,
      notes,
    }),
  )
  console.log(notes.join('\n'))
  console.log(`Written: ${base}.csv, ${base}.svg`)
  process.exitCode = isGood ? 0 : 1
}

function csv() {
  const columns = Object.keys(samples[0].command)
  const heading = [
    'seconds',
    'phase',
    ...names.flatMap((name) => columns.map((column) => `${name} ${column}`)),
  ]
  const rows = samples.map((row) => [
    row.seconds,
    `"${row.phase}"`,
    ...names.flatMap((name) => columns.map((column) => Math.round(row[name][column] * 100) / 100)),
  ])
  return [heading, ...rows].map((row) => row.join(',')).join('\n') + '\n'
}
