/** What watching files costs those who use them, and those who do not. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startAgent } from './agent.mjs'
import {
  measureRounds,
  median,
  percent,
  SLOWDOWN_COLUMNS,
  slowdownRows,
  slowdownsAgainst,
} from './measure.mjs'
import { fileProgram, getpidProgram, makeDirectory, writeProgram } from './programs.mjs'

const AIM_BUILD = 0.05

const OFF = { name: 'quark-mon', args: [] }

const WATCHER = fileURLToPath(new URL('files-watcher.mjs', import.meta.url))

/** Files are off, on, and on with a directory in which nothing happens; then by one sort of rungs that this kernel has. */
function agentsFor(directory) {
  const elsewhere = join(directory, 'elsewhere')
  mkdirSync(elsewhere)
  const rungs = JSON.parse(execFileSync(process.execPath, [WATCHER, 'which'], { encoding: 'utf8' }))
  return [
    OFF,
    { name: '--file', args: ['--file'] },
    { name: '--file=elsewhere', args: [`--file=${elsewhere}`] },
    ...rungs.map((rung) => ({ name: `only ${rung}`, rung })),
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
  for (const workload of workloads)
    results.push([workload, await measureRounds(agents, start, workload, tries)])
  const built = results.find(([workload]) => workload === build)[1]
  const slower = median(slowdownsAgainst(OFF.name, built, '--file', 'wallMs'))
  const filtered = median(slowdownsAgainst(OFF.name, built, '--file=elsewhere', 'wallMs'))
  return {
    tables: [
      {
        title: `Best of ${tries.runs} runs in each of ${tries.rounds} rounds`,
        columns: SLOWDOWN_COLUMNS,
        rows: results.flatMap(([workload, samples]) => slowdownRows(workload, samples, OFF.name)),
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
