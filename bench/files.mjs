/** What watching files costs those who use them, and those who do not. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startAgent } from './agent.mjs'
import { median, quantile, rotated, run } from './measure.mjs'
import { fileProgram, getpidProgram, makeDirectory, writeProgram } from './programs.mjs'

const AIM_BUILD = 0.05

const OFF = { name: 'quark-mon', args: [] }

/** Files are off, on, and on with a directory in which nothing happens. */
function agentsFor(directory) {
  const elsewhere = join(directory, 'elsewhere')
  mkdirSync(elsewhere)
  return [
    OFF,
    { name: '--file', args: ['--file'] },
    { name: '--file=elsewhere', args: [`--file=${elsewhere}`] },
  ]
}

/** Samples by agent, one per round: the fastest of several runs, as others can only make a run slower. */
async function measureAll(agents, { program }, { rounds, runs }) {
  const samples = new Map(agents.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, args } of rotated(agents, round)) {
      const agent = await startAgent(args)
      try {
        const times = Array.from({ length: runs }, () => run(program))
        samples.get(name).push({
          wallMs: Math.min(...times.map(({ wallMs }) => wallMs)),
          cpuMs: Math.min(...times.map(({ cpuMs }) => cpuMs)),
        })
      } finally {
        await agent.stop()
      }
    }
  }
  return samples
}

function percent(share) {
  return `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`
}

/** Against the run of the same round in which files were off. */
function slowdowns(samples, name, unit) {
  return samples.get(name).map((sample, round) => sample[unit] / samples.get(OFF.name)[round][unit] - 1)
}

function spread(values) {
  return [percent(median(values)), `${percent(quantile(values, 0.25))} … ${percent(quantile(values, 0.75))}`]
}

function rowsOf({ title, count }, samples) {
  return [...samples.keys()].map((name) => {
    const each = samples.get(name).map(({ wallMs }) => (wallMs / count) * 1000)
    return [
      title,
      name,
      median(each).toFixed(2),
      ...(name === OFF.name
        ? ['', '', '', '']
        : [...spread(slowdowns(samples, name, 'wallMs')), ...spread(slowdowns(samples, name, 'cpuMs'))]),
    ]
  })
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

export async function files({ quick }) {
  const directory = makeDirectory()
  const size = quick ? 1 : 4
  const tries = quick ? { rounds: 3, runs: 3 } : { rounds: 7, runs: 5 }
  makeTree(directory, 250 * size)
  const path = join(directory, 'file')
  writeFileSync(path, 'x')
  const write = (name, bytes) => writeProgram(directory, name, bytes)
  const many = 20_000 * size
  const few = 4000 * size
  const build = {
    title: 'make -j2',
    count: 250 * size,
    program: script(directory, 'build', `cd ${directory}; rm -rf out; mkdir out; make -s -j2`),
  }
  const workloads = [
    { title: 'getpid', count: many * 10, program: write('getpid', getpidProgram(many * 10)) },
    { title: 'open, close', count: many, program: write('open', fileProgram('open', many, path)) },
    { title: 'write', count: many, program: write('write', fileProgram('write', many, path)) },
    {
      title: 'create, close, unlink',
      count: few,
      program: write('create', fileProgram('create', few, `${path}.new`)),
    },
    build,
    {
      title: 'find',
      count: 250 * size,
      program: script(
        directory,
        'find',
        `for i in 1 2 3 4 5; do find ${directory}/tree -size +1; done > /dev/null`,
      ),
    },
    {
      title: 'tar x',
      count: 250 * size,
      program: script(directory, 'untar', `cd ${directory}; rm -rf to; mkdir to; tar xf tree.tar -C to`),
    },
  ]
  const agents = agentsFor(directory)
  const results = []
  for (const workload of workloads) results.push([workload, await measureAll(agents, workload, tries)])
  const built = results.find(([workload]) => workload === build)[1]
  const slower = median(slowdowns(built, '--file', 'wallMs'))
  const filtered = median(slowdowns(built, '--file=elsewhere', 'wallMs'))
  return {
    tables: [
      {
        title: `Best of ${tries.runs} runs in each of ${tries.rounds} rounds`,
        columns: ['', '', 'µs each', 'wall', 'quartiles', 'CPU', 'quartiles'],
        rows: results.flatMap(([workload, samples]) => rowsOf(workload, samples)),
      },
    ],
    notes: [
      'Each is relative to the run of the same round under quark-mon without files. Output goes to /dev/null.',
      'CPU is that of the workload, without that of quark-mon, which on a machine with two CPUs takes time from it.',
      '`--file=elsewhere` watches a directory in which nothing happens.',
    ],
    figures: [
      {
        name: 'make -j2 of small files with --file',
        value: percent(slower),
        aim: 'under +5 %',
        isReached: slower < AIM_BUILD,
      },
      { name: 'the same with files elsewhere', value: percent(filtered) },
    ],
  }
}
