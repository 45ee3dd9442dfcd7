/**
 * CPU time of quark-mon while the machine starts about 2,000 programs a second that nobody asks about, and one quiet tree of
 * processes is followed, or the busy one is left out by rules: against all processes.
 *   node bench/follow.mjs [--rounds=3] [--seconds=10] [--rate=2000] [--write]
 *
 * Needs root. `--write` writes bench/follow.md.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { lostOf, startAgent } from './agent.mjs'
import { cpuMsOf, median, rotated } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'
import { table } from './report.mjs'

const RESULT = fileURLToPath(new URL('follow.md', import.meta.url))
/** So often each part of the busy tree starts a batch. */
const BATCH_SECONDS = 0.05
/** One after the other, programs start more slowly than on all CPUs. */
const PARTS = Math.max(2, cpus().length)

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '2000' },
    write: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const rate = Number(values.rate)

const directory = makeDirectory()
const batch = writeProgram(
  directory,
  'batch',
  spawnProgram({
    count: Math.round((rate / PARTS) * BATCH_SECONDS),
    argv: [writeTrue(directory), 'argument'],
  }),
)

/** Before others on a machine that has more to do, so that the pace is kept. */
function shell(script) {
  return spawn('nice', ['-n', '-15', '/bin/sh', '-c', script], { stdio: 'ignore' })
}

/** Processes that the machine has started since it booted. */
function startedProcesses() {
  return Number(/^processes (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1])
}

// A batch in the background each time, so that the pace does not depend on how long one takes.
const part = `while :; do ${batch} & sleep ${BATCH_SECONDS}; wait; done`
const busy = spawn(
  'nice',
  ['-n', '-15', '/bin/sh', '-c', `${`(${part}) & `.repeat(PARTS)} wait`],
  // In a group of its own, so that its parts end with it.
  { stdio: 'ignore', detached: true },
)
const quiet = shell('while :; do sleep 1; done')
const rules = join(directory, 'rules')
writeFileSync(rules, `poison 9 on process.pid ${busy.pid}\ndrop on poison 9\n`)

const AGENTS = [
  { name: 'all processes', args: [] },
  { name: 'the quiet tree (`--tree-of`)', args: ['--tree-of', String(quiet.pid)] },
  { name: 'all but the busy tree, by rules (`-r`)', args: ['-r', rules] },
]

async function measure({ args }) {
  const agent = await startAgent(args)
  let errors = ''
  const before = { cpuMs: cpuMsOf(agent.pid), started: startedProcesses(), ms: performance.now() }
  try {
    await sleep(seconds * 1000)
    const elapsedMs = performance.now() - before.ms
    const cpuShare = (cpuMsOf(agent.pid) - before.cpuMs) / elapsedMs
    return {
      cpuShare,
      perSecond: ((startedProcesses() - before.started) / elapsedMs) * 1000,
      lost: () => lostOf(errors),
    }
  } finally {
    errors = await agent.stop()
  }
}

const samples = new Map(AGENTS.map(({ name }) => [name, []]))
try {
  for (let round = 0; round < rounds; round += 1)
    for (const agent of rotated(AGENTS, round)) samples.get(agent.name).push(await measure(agent))
} finally {
  process.kill(-busy.pid, 'SIGKILL')
  quiet.kill('SIGKILL')
}

const percent = (share) => `${(share * 100).toFixed(1)} %`
const of = (name, read) => samples.get(name).map(read)
const rows = AGENTS.map(({ name }) => {
  const shares = of(name, ({ cpuShare }) => cpuShare)
  return [
    name,
    percent(median(shares)),
    `${percent(Math.min(...shares))} … ${percent(Math.max(...shares))}`,
    Math.round(median(of(name, ({ perSecond }) => perSecond))),
    of(name, ({ lost }) => lost()).reduce((sum, lost) => sum + lost, 0),
  ]
})
const text = `# A quiet tree on a busy machine

Written by \`node bench/follow.mjs --rounds=${rounds} --seconds=${seconds} --rate=${rate}\` on ${new Date().toISOString().slice(0, 10)}: Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}. CPU time of quark-mon, as a share of one CPU, while shells and their children start programs that end at once, and another shell starts one each second; medians of ${rounds} rounds of ${seconds} s, with the least and the most. The load of the machine was ${loadavg()[0].toFixed(1)} at the end.

${table(['what is watched', 'CPU', 'from … to', 'processes / s on the machine', 'lost'], rows)}

- Programs write no records of processes that are not followed, or that rules leave out: what is left is to look each of them up in a map.
`
process.stdout.write(text)
if (values.write) writeFileSync(RESULT, text)
