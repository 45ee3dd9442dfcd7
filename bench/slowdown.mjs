/** How much longer work takes while quark-mon watches: storms of processes, and a loop of system calls. */
import { startAgent } from './agent.mjs'
import { median, percent, quantile, rotated, run } from './measure.mjs'
import {
  getpidProgram,
  makeDirectory,
  spawnProgram,
  vforkProgram,
  writeProgram,
  writeTrue,
} from './programs.mjs'

const AIM_GETPID = 0.02
const NO_AGENT = { name: 'no agent' }
const STORM_AGENTS = [
  NO_AGENT,
  { name: 'quark-mon', args: [] },
  { name: 'quark-mon --json', args: ['--json'] },
]
const GETPID_AGENTS = [
  NO_AGENT,
  { name: 'quark-mon', args: [] },
  { name: 'quark-mon --failed-execs', args: ['--failed-execs'] },
]

/** The fastest of several runs under one agent: others can only make a run slower. */
async function measure({ args }, program, runs) {
  const agent = args === undefined ? undefined : await startAgent(args)
  try {
    const samples = Array.from({ length: runs }, () => run(program))
    return {
      wallMs: Math.min(...samples.map(({ wallMs }) => wallMs)),
      cpuMs: Math.min(...samples.map(({ cpuMs }) => cpuMs)),
    }
  } finally {
    await agent?.stop()
  }
}

/** Samples by agent, one per round; index is the round. */
async function rounds(agents, program, { rounds, runs }) {
  const samples = new Map(agents.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const agent of rotated(agents, round)) {
      samples.get(agent.name).push(await measure(agent, program, runs))
    }
  }
  return samples
}

/** Slowdowns against the run without an agent of the same round. */
function slowdowns(samples, name, unit) {
  const base = samples.get(NO_AGENT.name)
  return samples.get(name).map((sample, round) => sample[unit] / base[round][unit] - 1)
}

function tableOf(title, samples) {
  const rows = [...samples.keys()].map((name) => {
    const wall = slowdowns(samples, name, 'wallMs')
    const cpu = slowdowns(samples, name, 'cpuMs')
    const middle = (values) => `${percent(quantile(values, 0.25))} … ${percent(quantile(values, 0.75))}`
    return [
      name,
      median(samples.get(name).map(({ wallMs }) => wallMs)).toFixed(0),
      ...(name === NO_AGENT.name
        ? ['', '', '', '']
        : [percent(median(wall)), middle(wall), percent(median(cpu)), middle(cpu)]),
    ]
  })
  return { title, columns: ['', 'wall ms', 'wall', 'quartiles', 'CPU', 'quartiles'], rows }
}

export async function slowdown({ quick }) {
  const directory = makeDirectory()
  const argv = [writeTrue(directory), 'argument']
  const [execs, vforks, calls] = quick ? [2000, 10_000, 1_000_000] : [5000, 30_000, 3_000_000]
  const execStorm = writeProgram(directory, 'execs', spawnProgram({ count: execs, argv }))
  const vforkStorm = writeProgram(directory, 'vforks', vforkProgram(vforks))
  const getpid = writeProgram(directory, 'getpid', getpidProgram(calls))
  const once = { rounds: quick ? 3 : 7, runs: 1 }
  const bestOf5 = { rounds: quick ? 3 : 7, runs: 5 }
  const execSamples = await rounds(STORM_AGENTS, execStorm, once)
  const vforkSamples = await rounds(STORM_AGENTS, vforkStorm, once)
  const getpidSamples = await rounds(GETPID_AGENTS, getpid, bestOf5)
  const getpidSlowdown = median(slowdowns(getpidSamples, 'quark-mon', 'cpuMs'))
  const execCpu = median(slowdowns(execSamples, 'quark-mon', 'cpuMs'))
  return {
    tables: [
      tableOf(`${execs} vfork + exec + exit, one after the other`, execSamples),
      tableOf(`${vforks} vfork + exit, one after the other`, vforkSamples),
      tableOf(`${calls} getpid(2), best of ${bestOf5.runs} in each round`, getpidSamples),
    ],
    notes: [
      `Medians of ${once.rounds} rounds; each value is relative to the run without an agent of the same round.`,
      'CPU is user and system time of the workload, without that of quark-mon. Output goes to /dev/null.',
      '`--failed-execs` needs a system call tracepoint, which puts every system call on a slower path.',
    ],
    figures: [
      {
        name: 'getpid loop under quark-mon, CPU',
        value: percent(getpidSlowdown),
        aim: 'within 2 % of no agent',
        isReached: getpidSlowdown <= AIM_GETPID,
      },
      { name: 'exec storm under quark-mon, CPU', value: percent(execCpu) },
    ],
  }
}
