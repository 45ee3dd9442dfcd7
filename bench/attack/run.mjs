// Attacks on quark-mon by an ordinary user, while root starts 200 programs: which of them are reported whole, what is
// lost, how much memory it takes and how soon it ends.
//   node bench/attack/run.mjs [--quick] [--build=before,after] [--format=json,…] [--flood=WORD,…] [--no-sweep]
// A whole run writes its tables to bench/attack.md. --quick is for trying: few floods, JSON, this checkout only.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { lostOf } from '../agent.mjs'
import { alone } from '../alone.mjs'
import { checkout, commitOf } from '../checkout.mjs'
import { cpuMsOf, rssMbOf } from '../measure.mjs'
import { makeDirectory } from '../programs.mjs'
import { table } from '../report.mjs'
import { FLOODS, STATED_RATE, longExec, prepareFloods } from './floods.mjs'
import { VICTIMS, judge, runVictims, writeVictims } from './victims.mjs'

const BEFORE = '89ba073'
const SIFT = fileURLToPath(new URL('sift.mjs', import.meta.url))
const RESULTS = new URL('../attack.md', import.meta.url)
/** Of builds before it was called dump. */
const TEXT = ['--text', '--colour=never']
const OPTIONS = {
  dump: ['--dump', '--colour=never'],
  json: ['--json'],
  ecs: ['--ecs'],
  counting: ['--benchmark'],
}

/** The snapshot is written and garbage of the start is gone. */
const SETTLE_MS = 1000
/** The flood alone, before the programs start. */
const WARM_MS = 1000
/** Longer than records are held. */
const DRAIN_MS = 3000
/** Of the flood when no programs are judged. */
const COUNTING_MS = 6000
const START_LIMIT_MS = 30_000
const END_LIMIT_MS = 60_000
const SAMPLE_MS = 50

const SWEEP_RATES = [STATED_RATE, 1000, 2000, 0]
const SWEEP_COPIES = [1, 2, 4]

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    build: { type: 'string' },
    format: { type: 'string' },
    flood: { type: 'string' },
    sweep: { type: 'boolean' },
    'no-sweep': { type: 'boolean', default: false },
  },
})
if (process.getuid?.() !== 0) throw new Error('The agent watches the whole machine: run this as root')

const list = (text, fallback) => text?.split(',') ?? fallback
const formats = list(values.format, values.quick ? ['json'] : Object.keys(OPTIONS))
const unknown = formats.find((format) => OPTIONS[format] === undefined)
if (unknown !== undefined)
  throw new Error(`No format "${unknown}": there are ${Object.keys(OPTIONS).join(', ')}`)
const buildNames = list(values.build, values.quick ? ['after'] : ['before', 'after'])
const words = list(values.flood, [])
const floods = FLOODS.filter(({ name, quick }) =>
  words.length > 0 ? words.some((word) => name.includes(word)) : !values.quick || quick,
)
if (floods.length === 0) throw new Error(`No flood has ${values.flood} in its name`)
const isSwept = values.sweep ?? (!values.quick && !values['no-sweep'] && words.length === 0)
const isWhole = ['quick', 'build', 'format', 'flood', 'sweep', 'no-sweep'].every((name) => !values[name])
const pauseMs = values.quick ? 25 : 50

const builds = buildNames.map((name) => {
  if (name === 'before') return { name, path: checkout(BEFORE) }
  if (name === 'after') return { name, path: fileURLToPath(new URL('../..', import.meta.url)) }
  throw new Error(`No build "${name}": there are before and after`)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))
/** Processes that would outlive this one. */
const children = new Set()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const directory = makeDirectory()
const victimPaths = writeVictims(directory)
const startFlood = prepareFloods(directory)

/** Starts an agent whose output goes to `output` without the flood's, and watches its memory. */
async function startAgent(build, format, options, output) {
  const file = openSync(output, 'w')
  let [sift, stdout] = [undefined, file]
  if (format !== 'counting') {
    // A FIFO, as a shell makes them between programs: to the agent, a socket is another thing.
    const pipe = `${output}.pipe`
    execFileSync('mkfifo', [pipe])
    const stdin = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    stdout = openSync(pipe, constants.O_WRONLY)
    unlinkSync(pipe)
    sift = spawn(process.execPath, [SIFT, format], { stdio: [stdin, file, 'inherit'], env: {} })
    closeSync(stdin)
  }
  const mon = join(build.path, 'packages/mon/bin/quark-mon.cjs')
  const form = format === 'dump' && build.name === 'before' ? TEXT : OPTIONS[format]
  const child = spawn(process.execPath, [mon, '--verbose', ...form, ...options], {
    stdio: ['ignore', stdout, 'pipe'],
    cwd: directory,
  })
  children.add(child)
  if (stdout !== file) closeSync(stdout)
  closeSync(file)
  const siftEnded = sift === undefined ? undefined : once(sift, 'close')
  let errors = ''
  const watches = new Promise((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text
      resolve()
    })
  })
  const ended = once(child, 'close')
  await Promise.race([watches, ended, sleep(START_LIMIT_MS, undefined, { ref: false })])
  await sleep(SETTLE_MS)
  const { pid } = child
  const niceness = statOf(pid)?.at(16)
  let peakMb = 0
  const sampler = setInterval(() => {
    try {
      peakMb = Math.max(peakMb, rssMbOf(pid).peak || 0)
    } catch {
      // It has ended.
    }
  }, SAMPLE_MS)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  return {
    niceness,
    hasEnded,
    cpuMs: () => (hasEnded() ? Number.NaN : cpuMsOf(pid)),
    async stop() {
      const endedBefore = hasEnded()
      const startedMs = performance.now()
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS)
      if (!endedBefore) await once(child, 'exit')
      const endMs = performance.now() - startedMs
      clearTimeout(killer)
      clearInterval(sampler)
      await ended
      children.delete(child)
      await siftEnded
      const end = endedBefore ? 'died' : child.signalCode === 'SIGKILL' ? 'killed' : Math.round(endMs)
      return { end, peakMb, lost: lostOf(lastCounters(errors)), errors }
    },
  }
}

function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** With --benchmark counters are written every second. */
function lastCounters(errors) {
  return errors.slice(Math.max(0, errors.lastIndexOf('insertions') - 1))
}

/** One flood against one agent. */
async function attack(build, format, flood) {
  const output = join(directory, 'output')
  const agent = await startAgent(build, format, flood.options ?? [], output)
  const running = startFlood(flood)
  let result = {}
  const cpuMs = agent.cpuMs()
  const startedMs = performance.now()
  let victims = []
  try {
    await running.settle()
    await sleep(WARM_MS)
    if (format === 'counting') await sleep(COUNTING_MS)
    else victims = await runVictims(victimPaths, pauseMs)
    await sleep(DRAIN_MS)
    const share = (agent.cpuMs() - cpuMs) / (performance.now() - startedMs)
    if (running.hasEnded()) throw new Error(`The flood "${flood.name}" has ended`)
    // The flood goes on while it ends.
    result = { share, niceness: agent.niceness, ...(await agent.stop()) }
  } finally {
    result.perSecond = await running.stop()
  }
  if (format !== 'counting') Object.assign(result, judge(victims, readFileSync(output, 'utf8'), format))
  writeFileSync(output, '')
  return result
}

const COLUMNS = [
  'flood',
  'output',
  'build',
  'times a second, or held',
  'lost',
  'complete',
  'incomplete',
  'missing',
  'max RSS, MB',
  'SIGTERM to end, ms',
  'CPU of the agent',
  'what the incomplete lack',
]

function rowOf(name, format, build, result) {
  const faults = Object.entries(result.faults ?? {}).map(([fault, count]) => `${fault} ${count}`)
  return [
    name,
    format,
    build.name,
    Math.round(result.perSecond),
    Number.isNaN(result.lost) ? '?' : result.lost,
    ...['complete', 'incomplete', 'missing'].map((key) => result[key] ?? '–'),
    Math.round(result.peakMb),
    result.end,
    Number.isNaN(result.share) ? '?' : `${Math.round(result.share * 100)} %`,
    faults.join(', ') || '–',
  ]
}

await alone()
const [load] = loadavg()
if (load > cpus().length / 4) {
  console.error(`The load of this machine is ${load.toFixed(1)}: what others do takes CPU from the agent`)
}

const rows = []
const niceness = new Set()
async function measure(format, flood, build) {
  const result = await attack(build, format, flood)
  niceness.add(result.niceness)
  const row = rowOf(flood.name, format, build, result)
  console.error(row.join(' | '))
  for (const { victim, lines } of (result.found ?? []).slice(0, 3)) {
    console.error(`  ${JSON.stringify(victim)}: ${lines.length} lines: ${lines.join('\n').slice(0, 2000)}`)
  }
  if (result.end === 'died') console.error(result.errors.trim().split('\n').at(-1).slice(0, 300))
  return { row, result }
}

for (const flood of floods) {
  for (const format of formats) {
    for (const build of builds) {
      // It had no kind but processes.
      if (build.name === 'before' && flood.options?.includes('--all')) continue
      rows.push((await measure(format, flood, build)).row)
    }
  }
}

const sweepRows = []
const held = []
if (isSwept) {
  for (const build of builds) {
    let best
    for (const copies of SWEEP_COPIES) {
      for (const rate of SWEEP_RATES) {
        const { row, result } = await measure('json', longExec(rate, copies), build)
        sweepRows.push(row)
        if (result.complete === VICTIMS && !(best?.perSecond > result.perSecond))
          best = { ...result, name: row[0] }
      }
    }
    held.push(
      best === undefined
        ? `${build.name}: at no rate were all ${VICTIMS} complete.`
        : `${build.name}: all ${VICTIMS} complete up to ${Math.round(best.perSecond)} execs a second with 128 kB of argv (${best.name}).`,
    )
  }
}

const revision = builds.map(({ name }) => (name === 'before' ? BEFORE : commitOf())).join(' and ')
const text = [
  '# Attacks',
  `Written by \`node bench/attack/run.mjs\` on ${new Date().toISOString().slice(0, 10)}, commit ${revision}. Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}; load before the start ${load.toFixed(1)}.`,
  `An ordinary user floods the agent as often as it can, or as said; meanwhile root starts ${VICTIMS} programs, ${pauseMs} ms apart. A program is complete if its fork, exec and exit, and its parent, exe, arguments and exit code are in the output. SIGTERM is sent while the flood goes on. An agent that has not ended after ${END_LIMIT_MS / 1000} s is killed. The agent runs with nice ${[...niceness].join(', ')}, as the floods do; its share of a CPU is in the table. RSS is that of the whole process, at most.`,
  table(COLUMNS, rows),
  ...(isSwept ? ['## How far beyond the stated flood', ...held, table(COLUMNS, sweepRows)] : []),
  '',
].join('\n\n')
console.log(text)
if (isWhole) writeFileSync(RESULTS, text)
