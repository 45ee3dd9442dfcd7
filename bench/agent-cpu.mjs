/** CPU time and memory of quark-mon itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { lostOf, startAgent } from './agent.mjs'
import { cpuMsOf, rssMbOf, runParallel } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const AGENTS = [
  { name: 'counting only (-M)', args: ['-M'] },
  { name: 'text', args: [] },
  { name: 'dump', args: ['--dump'] },
  { name: 'json', args: ['--json'] },
  { name: 'ecs', args: ['--ecs'] },
]
const IDLE_MS = 5000
/** Longer than records are held: everything is written. */
const DRAIN_MS = 1500
/** Ended processes are forgotten by then, and memory that is not needed any more is given back. */
const QUIET_MS = 8000
const PARALLEL = 2
const AIM_IDLE_MB = 64
const AIM_AFTER_MB = 90

/** One agent through all storms. */
async function measure({ args }, { storm, perStorm, storms }) {
  const agent = await startAgent(args)
  let errors = ''
  try {
    const startedCpuMs = cpuMsOf(agent.pid)
    await sleep(IDLE_MS)
    const idleCpuMs = cpuMsOf(agent.pid) - startedCpuMs
    const idleMb = rssMbOf(agent.pid).now
    const perThousand = []
    for (let i = 0; i < storms; i++) {
      const beforeMs = cpuMsOf(agent.pid)
      await runParallel(storm, PARALLEL)
      if (i === storms - 1) await sleep(DRAIN_MS)
      perThousand.push((cpuMsOf(agent.pid) - beforeMs) / (perStorm / 1000))
    }
    const { now: busyMb, peak: peakMb } = rssMbOf(agent.pid)
    await sleep(QUIET_MS)
    const { now: afterMb } = rssMbOf(agent.pid)
    return { idleCpuMs, idleMb, perThousand, busyMb, afterMb, peakMb, lost: () => lostOf(errors) }
  } finally {
    errors = await agent.stop()
  }
}

export async function agentCpu({ quick }) {
  const directory = makeDirectory()
  const argv = [writeTrue(directory), 'argument']
  const perStorm = quick ? 5000 : 20_000
  const storms = quick ? 4 : 10
  const storm = writeProgram(directory, 'storm', spawnProgram({ count: perStorm / PARALLEL, argv }))
  const results = []
  for (const agent of AGENTS) {
    results.push({ name: agent.name, ...(await measure(agent, { storm, perStorm, storms })) })
  }
  const total = perStorm * storms
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
  const dump = results.find(({ name }) => name === 'dump')
  return {
    tables: [
      {
        title: `${storms} storms of ${perStorm} fork + exec + exit each, ${PARALLEL} at a time, one agent through all`,
        columns: [
          'output',
          'CPU ms / 1,000 processes',
          'first storm',
          'last storm',
          'idle CPU',
          'RSS idle MB',
          'RSS busy MB',
          'RSS peak MB',
          'RSS after MB',
          'lost',
        ],
        rows: results.map((result) => [
          result.name,
          mean(result.perThousand).toFixed(1),
          result.perThousand[0].toFixed(1),
          result.perThousand.at(-1).toFixed(1),
          `${((result.idleCpuMs / IDLE_MS) * 100).toFixed(1)} %`,
          result.idleMb.toFixed(0),
          result.busyMb.toFixed(0),
          result.peakMb.toFixed(0),
          result.afterMb.toFixed(0),
          result.lost(),
        ]),
      },
    ],
    notes: [
      `Idle is ${IDLE_MS / 1000} s after the start, before the first storm. Output goes to /dev/null.`,
      `Busy is ${DRAIN_MS / 1000} s after the last storm, after is ${QUIET_MS / 1000} s later.`,
    ],
    figures: [
      {
        name: 'CPU of quark-mon per 1,000 processes, dump',
        value: `${mean(dump.perThousand).toFixed(1)} ms`,
      },
      {
        name: 'RSS of quark-mon, idle',
        value: `${dump.idleMb.toFixed(0)} MB`,
        aim: `under ${AIM_IDLE_MB} MB`,
        isReached: dump.idleMb < AIM_IDLE_MB,
      },
      {
        name: `RSS of quark-mon after ${total.toLocaleString('en')} processes`,
        value: `${dump.afterMb.toFixed(0)} MB (peak ${dump.peakMb.toFixed(0)})`,
        aim: `under ${AIM_AFTER_MB} MB`,
        isReached: dump.afterMb < AIM_AFTER_MB,
      },
    ],
  }
}
