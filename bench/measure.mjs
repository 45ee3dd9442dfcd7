/** What is measured of other processes, and what is made of several measurements. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import koffi from 'koffi'

const RUSAGE_CHILDREN = -1
/** `struct rusage`: user and system time as two `struct timeval`, then 14 other longs. */
const RUSAGE_SIZE_BYTES = 18 * 8
/** /proc/pid/stat counts in USER_HZ, which is 100 on all supported machines. */
const TICK_MS = 10

const getrusage = koffi.load(null).func('getrusage', 'int', ['int', 'void *'])

/** CPU time of all children of this process that have ended and were waited for, theirs included, in ms. */
export function childrenCpuMs() {
  const rusage = new BigInt64Array(RUSAGE_SIZE_BYTES / 8)
  getrusage(RUSAGE_CHILDREN, rusage)
  return Number(rusage[0] + rusage[2]) * 1e3 + Number(rusage[1] + rusage[3]) / 1e3
}

/** Runs a program to its end. */
export function run(path) {
  const startedMs = performance.now()
  const cpuMs = childrenCpuMs()
  const { status, error } = spawnSync(path, [], { stdio: ['ignore', 'ignore', 'inherit'], env: {} })
  if (status !== 0) throw new Error(`Cannot run ${path}: ${error?.message ?? `it ended with ${status}`}`)
  return { wallMs: performance.now() - startedMs, cpuMs: childrenCpuMs() - cpuMs }
}

/** Runs a program several times at once; this process goes on meanwhile. */
export async function runParallel(path, copies) {
  const children = Array.from({ length: copies }, () =>
    spawn(path, [], { stdio: ['ignore', 'ignore', 'inherit'], env: {} }),
  )
  const ends = await Promise.all(children.map((child) => once(child, 'exit')))
  const failed = ends.find(([status]) => status !== 0)
  if (failed !== undefined) throw new Error(`Cannot run ${path}: it ended with ${failed.join(' ')}`)
}

/** CPU time of a process so far, in ms; steps of 10. */
export function cpuMsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Resident memory of a process now and at most, in MB. */
export function rssMbOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const mb = (name) => Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(status)?.[1]) / 1024
  return { now: mb('VmRSS'), peak: mb('VmHWM') }
}

export function median(values) {
  return quantile(values, 0.5)
}

/** The value that the part `share` of all values does not exceed. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

/** The items in an order that begins with another one each round: drift of the machine hits all alike. */
export function rotated(items, round) {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

/**
 * Samples of a workload by agent, one per round: the fastest of several runs, as others can only make a run slower.
 *
 * @param agents each `{ name, args }`; `start` starts one, and gives `stop`
 * @param program what to run: a path, or what makes one for each run
 */
export async function measureRounds(agents, start, { program }, { rounds, runs }) {
  const samples = new Map(agents.map(({ name }) => [name, []]))
  const next = typeof program === 'function' ? program : () => program
  for (let round = 0; round < rounds; round += 1) {
    for (const agent of rotated(agents, round)) {
      const running = await start(agent)
      try {
        const times = Array.from({ length: runs }, () => run(next()))
        samples.get(agent.name).push({
          wallMs: Math.min(...times.map(({ wallMs }) => wallMs)),
          cpuMs: Math.min(...times.map(({ cpuMs }) => cpuMs)),
        })
      } finally {
        await running.stop()
      }
    }
  }
  return samples
}

export function percent(share) {
  return `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`
}

/** Against the run of the same round under the agent `base`. */
export function slowdownsAgainst(base, samples, name, unit) {
  return samples.get(name).map((sample, round) => sample[unit] / samples.get(base)[round][unit] - 1)
}

/** The columns of `slowdownRows`. */
export const SLOWDOWN_COLUMNS = ['', '', 'µs each', 'wall', 'quartiles', 'CPU', 'quartiles']

/** A row for each agent: µs for one of the things that a workload does, and slowdowns against `base` with quartiles. */
export function slowdownRows({ title, count }, samples, base) {
  const spread = (name, unit) => {
    const values = slowdownsAgainst(base, samples, name, unit)
    return [
      percent(median(values)),
      `${percent(quantile(values, 0.25))} … ${percent(quantile(values, 0.75))}`,
    ]
  }
  return [...samples.keys()].map((name) => {
    const each = samples.get(name).map(({ wallMs }) => (wallMs / count) * 1000)
    const slower = name === base ? ['', '', '', ''] : [...spread(name, 'wallMs'), ...spread(name, 'cpuMs')]
    return [title, name, median(each).toFixed(2), ...slower]
  })
}
