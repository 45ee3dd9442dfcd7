/**
 * What watching files costs those who use them, and those who do not.
 *   node bench/files.mjs [--quick] [--seconds=270] [--only=WORD] [--operations]     writes bench/files.md, unless it is quick or of
 *   some workloads. `--operations` are system calls alone, by each sort of rungs: also where there is no compiler, as in the guests
 *   of scripts/kernels.mjs.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startAgent } from './agent.mjs'
import {
  cpuMsOf,
  median,
  percent,
  rotated,
  run,
  SLOWDOWN_COLUMNS,
  slowdownRows,
  slowdownsAgainst,
} from './measure.mjs'
import { fileProgram, getpidProgram, makeDirectory, writeProgram } from './programs.mjs'
import { compiler, sourceOf } from './sources.mjs'

const AIM_BUILD = 0.05
/** How long all of it may take; a round that is begun ends. */
const SECONDS = 270
const MIN_ROUNDS = 3
const PAGE = fileURLToPath(new URL('files.md', import.meta.url))

const OFF = { name: 'quark-mon', args: [] }

const WATCHER = fileURLToPath(new URL('files-watcher.mjs', import.meta.url))

/** Files are off, on, and on with a directory in which nothing happens; then by one sort of rungs that this kernel has. */
function agentsFor(directory) {
  // Not in the directory of the files that are written: of that something is wanted.
  const elsewhere = join(directory, 'elsewhere', 'deep')
  mkdirSync(elsewhere, { recursive: true })
  const rungs = JSON.parse(execFileSync(process.execPath, [WATCHER, 'which'], { encoding: 'utf8' }))
  return [
    OFF,
    { name: '--file', args: ['--file'] },
    { name: '--file=elsewhere', args: [`--file=${elsewhere}`] },
    // What the option has is the best of them.
    ...rungs.slice(1).map((rung) => ({ name: `only ${rung}`, rung })),
  ]
}

function start({ args, rung }) {
  return rung === undefined ? startAgent(args) : startAgent([rung], WATCHER)
}

function script(directory, name, text) {
  return writeProgram(directory, name, `#!/bin/sh\nexport PATH=/usr/bin:/bin\n${text}\n`)
}

/** A tree of small files, and a build that makes one of each. */
function makeTree(directory, files) {
  const tree = join(directory, 'tree')
  for (let i = 0; i < files; i += 1) {
    const folder = join(tree, `d${i % 32}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `f${i}`), 'x'.repeat(i % 4096))
  }
  const rules = `all: $(patsubst %,out/%,$(shell seq ${files}))\nout/%:\n\t@md5sum tree/d0/f0 > $@.tmp; mv $@.tmp $@\n`
  writeFileSync(join(directory, 'Makefile'), rules)
  execFileSync('tar', ['cf', 'tree.tar', 'tree'], { cwd: directory })
}

/** A build of files as programs have them. */
function compiledBuild(directory, files) {
  const folder = join(directory, 'compiled')
  mkdirSync(folder)
  for (let i = 0; i < files; i += 1) writeFileSync(join(folder, `f${i}.c`), sourceOf(i, 12, true))
  const rules = `all: $(patsubst %.c,%.o,$(wildcard *.c))\n%.o: %.c\n\t@cc -O2 -c $< -o $@\n`
  writeFileSync(join(folder, 'Makefile'), rules)
  const title = 'make -j2 of cc -O2'
  const text = `cd ${folder}; rm -f *.o; make -s -j2`
  return { title, count: files, program: script(directory, 'compile', text) }
}

const IDLE_MS = 200
const IDLE_CPU_MS = 10
const IDLE_LIMIT_MS = 15_000

/** What the workload before left to read would take time from the next one. */
async function untilIdle(pid) {
  const endMs = performance.now() + IDLE_LIMIT_MS
  for (let cpuMs = -Infinity; performance.now() < endMs;) {
    const nowMs = cpuMsOf(pid)
    if (nowMs - cpuMs <= IDLE_CPU_MS) return
    cpuMs = nowMs
    await sleep(IDLE_MS)
  }
}

/** The least of some runs of each workload under each agent, round for round. */
async function measureAll(agents, workloads, { seconds, rounds, runs }) {
  const samples = new Map(
    workloads.map((workload) => [workload, new Map(agents.map(({ name }) => [name, []]))]),
  )
  const beganMs = performance.now()
  for (let round = 0, longestMs = 0; round < rounds; round += 1) {
    const nowMs = performance.now()
    if (round >= Math.min(rounds, MIN_ROUNDS) && nowMs - beganMs + longestMs > seconds * 1000) break
    for (const agent of rotated(agents, round)) {
      const running = await start(agent)
      try {
        for (const workload of workloads) {
          await untilIdle(running.pid)
          const times = Array.from({ length: runs }, () => run(workload.program))
          samples
            .get(workload)
            .get(agent.name)
            .push({
              wallMs: Math.min(...times.map(({ wallMs }) => wallMs)),
              cpuMs: Math.min(...times.map(({ cpuMs }) => cpuMs)),
            })
        }
      } finally {
        await running.stop()
      }
    }
    longestMs = Math.max(longestMs, performance.now() - nowMs)
  }
  return samples
}

export async function files({ quick, seconds = SECONDS, only, operations = false }) {
  const directory = makeDirectory()
  const size = quick ? 1 : 4
  const tries = quick ? { seconds, rounds: 1, runs: 1 } : { seconds, rounds: 50, runs: 3 }
  if (!operations) makeTree(directory, 60 * size)
  const path = join(directory, 'file')
  writeFileSync(path, 'x')
  const write = (name, bytes) => writeProgram(directory, name, bytes)
  const many = 20_000 * size
  const few = 4000 * size
  const build = {
    title: 'make -j2 of md5sum and mv',
    count: 60 * size,
    program: script(directory, 'build', `cd ${directory}; rm -rf out; mkdir out; make -s -j2`),
  }
  const compiled = compiler === undefined || operations ? undefined : compiledBuild(directory, 6 * size)
  const workloads = [
    { title: 'getpid', count: many * 10, program: write('getpid', getpidProgram(many * 10)) },
    { title: 'open, close', count: many, program: write('open', fileProgram('open', many, path)) },
    { title: 'write', count: many, program: write('write', fileProgram('write', many, path)) },
    {
      title: 'open, write, close',
      count: few,
      program: write('rewrite', fileProgram('rewrite', few, path)),
    },
    {
      title: 'create, write, close, unlink',
      count: few,
      program: write('new', fileProgram('new', few, `${path}.new`)),
    },
    {
      title: 'create, close, unlink',
      count: few,
      program: write('create', fileProgram('create', few, `${path}.new`)),
    },
    build,
    ...(compiled === undefined ? [] : [compiled]),
    {
      title: 'find',
      count: 60 * size,
      program: script(
        directory,
        'find',
        `for i in 1 2 3 4 5; do find ${directory}/tree -size +1; done > /dev/null`,
      ),
    },
    {
      title: 'tar x',
      count: 60 * size,
      program: script(directory, 'untar', `cd ${directory}; rm -rf to; mkdir to; tar xf tree.tar -C to`),
    },
  ]
  // Rungs by themselves are left out where one workload is to be seen more often.
  const agents = agentsFor(directory).slice(0, only === undefined ? undefined : 3)
  const chosen = workloads.filter(
    ({ title }, index) =>
      (only === undefined || title.includes(only)) && (!operations || index < workloads.indexOf(build)),
  )
  if (chosen.length === 0) throw new Error(`No workload has "${only}" in its name`)
  const results = await measureAll(agents, chosen, tries)
  // Without a compiler, of the smallest programs.
  const built = results.get(compiled ?? build) ?? results.get(chosen[0])
  const rounds = built.get(OFF.name).length
  const slower = median(slowdownsAgainst(OFF.name, built, '--file', 'wallMs'))
  const filtered = median(slowdownsAgainst(OFF.name, built, '--file=elsewhere', 'wallMs'))
  return {
    tables: [
      {
        title: `Best of ${tries.runs} runs in each of ${rounds} rounds`,
        columns: SLOWDOWN_COLUMNS,
        rows: [...results].flatMap(([workload, samples]) => slowdownRows(workload, samples, OFF.name)),
      },
    ],
    notes: [
      'Each is relative to the run of the same round under quark-mon without files. Output goes to /dev/null.',
      'CPU is that of the workload, without that of quark-mon, which on a machine with two CPUs takes time from it.',
      '`--file=elsewhere` watches a directory in which nothing happens.',
    ],
    figures: operations
      ? []
      : [
          {
            name: `${(only === undefined ? (compiled ?? build) : chosen[0]).title} with --file`,
            value: percent(slower),
            aim: 'under +5 %',
            isReached: slower < AIM_BUILD,
          },
          { name: 'the same with files elsewhere', value: percent(filtered) },
        ],
  }
}

const line = (cells) => `| ${cells.join(' | ')} |`

function pageOf({ tables, notes, figures }, how) {
  const [{ title, columns, rows }] = tables
  const [date] = new Date().toISOString().split('T')
  return `# What watching files costs

Written by \`node bench/files.mjs${how}\` on ${date}: Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}, load of the machine ${loadavg()[0].toFixed(1)}.

${figures.map(({ name, value, aim }) => `- ${name}: ${value}${aim === undefined ? '' : ` (aim: ${aim})`}`).join('\n')}

${notes.join('\n')}

${title}.

${[line(columns), line(columns.map((_, i) => (i < 2 ? '---' : '---:'))), ...rows.map(line)].join('\n')}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string', default: String(SECONDS) },
      only: { type: 'string' },
      operations: { type: 'boolean', default: false },
    },
  })
  const { quick, only, operations } = values
  const result = await files({ quick, only, operations, seconds: Number(values.seconds) })
  const how = `${quick ? ' --quick' : ''}${only === undefined ? '' : ` --only='${only}'`}${operations ? ' --operations' : ''}`
  const text = pageOf(result, how)
  if (!quick && only === undefined && !operations) writeFileSync(PAGE, text)
  console.log(text)
}
