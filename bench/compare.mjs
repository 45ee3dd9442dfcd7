// Versions beside each other, in turns: what the programs, the reader, the start and the memory of each take.
//   node bench/compare.mjs [--rounds=5] [revision…, 89ba073]
// Prints a table, with the ratio of each later one and of this checkout to the first, and writes it to bench/comparison.md.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { checkout, commitOf } from './checkout.mjs'
import { cpuMsOf, median, rotated, rssMbOf, run } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'
import { table } from './report.mjs'

const STATS_FILE = '/proc/sys/kernel/bpf_stats_enabled'
const PROCESSES = 2000
/** Longer than records are held. */
const DRAIN_MS = 1500
const SETTLE_MS = 1000
const BPF_MAP_TYPE_ARRAY = 2
const SCRATCH_BYTES = 1 << 20

const own = fileURLToPath(new URL('..', import.meta.url))
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})
const rounds = Number(options.rounds)
const revisions = positionals.length > 0 ? positionals : ['89ba073']
const builds = [
  ...revisions.map((revision) => ({ name: commitOf(revision), path: checkout(revision) })),
  { name: `${commitOf()}, this`, path: own },
]
const command = ({ path }, ...args) => [join(path, 'packages/mon/bin/quark-mon.cjs'), ...args]

/** What the kernel says of the programs and maps that a process holds: ns and runs, and bytes of memory. */
function bpfOf(pid) {
  let [ns, runs, mapBytes, scratchBytes] = [0, 0, 0, 0]
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    let info
    try {
      info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')
    } catch {
      continue
    }
    const number = (key) => Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    if (/^prog_id:/m.test(info) && !/^link_type:/m.test(info)) {
      ns += number('run_time_ns')
      runs += number('run_cnt')
    }
    if (!/^map_id:/m.test(info)) continue
    mapBytes += number('memlock')
    // The scratch of the levels is the only large array.
    if (number('map_type') === BPF_MAP_TYPE_ARRAY && number('value_size') > SCRATCH_BYTES)
      scratchBytes += number('memlock')
  }
  return { ns, runs, mapBytes, scratchBytes }
}

/** One agent that sees a storm. */
async function watch(build, args, storm) {
  const startedMs = performance.now()
  const agent = spawn(process.execPath, command(build, '--json', ...args), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(agent, 'close')
  const lines = createInterface({ input: agent.stdout })
  await once(lines, 'line')
  const startMs = performance.now() - startedMs
  lines.on('line', () => {})
  await sleep(SETTLE_MS)
  const before = { ...bpfOf(agent.pid), cpuMs: cpuMsOf(agent.pid), idleMb: rssMbOf(agent.pid).now }
  run(storm)
  await sleep(DRAIN_MS)
  const after = { ...bpfOf(agent.pid), cpuMs: cpuMsOf(agent.pid), busyMb: rssMbOf(agent.pid).now }
  agent.kill('SIGINT')
  await ended
  return {
    'start to first line, ms': startMs,
    'programs, µs per process': (after.ns - before.ns) / 1e3 / PROCESSES,
    'reader with JSON, CPU ms per 1000 processes': ((after.cpuMs - before.cpuMs) / PROCESSES) * 1000,
    'RSS idle, MB': before.idleMb,
    'RSS after the storm, MB': after.busyMb,
    'maps of the kernel, KiB': after.mapBytes / 1024,
    'of them the scratch, KiB': after.scratchBytes / 1024,
  }
}

/** CPU time of a replay, counting only, in ms; less than the start of Node it is the pipeline's. */
function replay(build, recording) {
  const script = `process.on('exit', () => { const { user, system } = process.resourceUsage ? process.cpuUsage() : {}; process.stderr.write(String((user + system) / 1e3)) })`
  const preload = `data:text/javascript,${encodeURIComponent(script)}`
  const { stderr } = runSync(build, [
    '--import',
    preload,
    ...command(build, '--json', '-q', '--replay', recording),
  ])
  return Number(/([\d.]+)\s*$/.exec(stderr)?.[1])
}

/** Bytes of JSON that a replay writes: what it takes is to be seen beside them. */
function jsonKib(build, recording) {
  const [file, ...args] = command(build, '--json', '-q', '--replay', recording)
  return execFileSync(process.execPath, [file, ...args], { maxBuffer: 1 << 28 }).length / 1024
}

function runSync(build, args) {
  return {
    stderr: execFileSync('sh', ['-c', '"$@" 2>&1 >/dev/null', 'sh', process.execPath, ...args], {
      encoding: 'utf8',
      cwd: build.path,
    }),
  }
}

const directory = makeDirectory()
const storm = writeProgram(
  directory,
  'storm',
  spawnProgram({ count: PROCESSES, argv: [writeTrue(directory), 'an', 'argument'] }),
)
const recordingOf = ({ name }) => join(directory, name)

/** Each reads what it wrote, and the later one also what the older one wrote. */
async function record(build) {
  const recording = recordingOf(build)
  const agent = spawn(process.execPath, command(build, '-q', '--record', recording, '-o', '/dev/null'), {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(agent, 'close')
  await sleep(3 * SETTLE_MS)
  for (let i = 0; i < 5; i++) run(storm)
  await sleep(DRAIN_MS)
  agent.kill('SIGINT')
  await ended
}

const figures = new Map()
function note(name, values) {
  for (const [figure, value] of Object.entries(values)) {
    const row = figures.get(figure) ?? Object.fromEntries(builds.map((build) => [build.name, []]))
    row[name].push(value)
    figures.set(figure, row)
  }
}

const statsBefore = readFileSync(STATS_FILE, 'latin1')
writeFileSync(STATS_FILE, '1')
try {
  for (const build of builds) await record(build)
  for (let round = 0; round < rounds; round++) {
    for (const build of rotated(builds, round)) {
      note(build.name, await watch(build, [], storm))
      note(build.name, {
        'replay of 10,000 processes as JSON, CPU ms': replay(build, recordingOf(build)),
        'JSON of that, KiB': jsonKib(build, recordingOf(build)),
        'the same of a recording of the former, CPU ms': replay(build, recordingOf(builds[0])),
      })
    }
  }
} finally {
  writeFileSync(STATS_FILE, statsBefore)
}

const names = builds.map(({ name }) => name)
const rows = [...figures].map(([figure, values]) => {
  const medians = names.map((name) => median(values[name]))
  const [first] = medians
  const cells = medians.map((value, index) =>
    index === 0 ? value.toFixed(1) : `${value.toFixed(1)} (${(value / first).toFixed(2)})`,
  )
  return [figure, ...cells]
})
const text = `# Comparison

Written by \`node bench/compare.mjs --rounds=${rounds} ${revisions.join(' ')}\` on ${new Date().toISOString().slice(0, 10)}: commits in turns, medians of
${rounds} rounds, and ratios to the first. Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}.

${table(['', ...names], rows)}
`
console.log(text)
writeFileSync(new URL('comparison.md', import.meta.url), text)
